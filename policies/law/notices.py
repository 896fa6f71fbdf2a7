"""What the law of the debtor's place makes one message say, and what it may not do (F43, F54).

The packs say it as data: `must_say` rules name items (creditor_tax_id, opt_out, not_an_enforcement_procedure, ...), `content`
rules name deeds (asks_why, mentions_court, ...). Here the rules that bind one message are picked; the words are in messages/.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any, Literal, NamedTuple

from policies.facts import LawTerms
from policies.law.model import AnyRule, Content, MustSay
from policies.law.packs import shipped_law
from policies.law.wish import law_channel
from policies.terms import Channel

Speaks = Literal["claim", "receipt", "nobody"]
"""What a text is about: something owed, something settled, or nothing, because its reader is not confirmed yet."""
_TOLD_TO_ANYONE = frozenset(("creditor", "creditor_address", "creditor_tax_id", "opt_out"))
"""What an unconfirmed reader may be told; everything else shows that somebody is written to about money."""
_TOLD_OF_A_RECEIPT = _TOLD_TO_ANYONE | {"from_debt_collector"}
_WRITTEN = (Channel.LETTER, Channel.EMAIL)


class Notice(NamedTuple):
    """One thing that must be said, and the rule that wants it."""

    item: str
    rule: str
    citation: str


class Ban(NamedTuple):
    """One thing that may not be done, and the rule against it."""

    deed: str
    rule: str
    citation: str


class Wording(NamedTuple):
    """Everything the law has to say to the words of one message. `party` is who collects: first or third."""

    says: tuple[Notice, ...] = ()
    never: tuple[Ban, ...] = ()
    party: str = "first"

    @property
    def nothing_else(self) -> bool:
        """Whether only a name and a way to call back may be said (12 CFR 1006.2(j); Quebec, recorded messages)."""
        return any(ban.deed == "says_anything_else" for ban in self.never)


NO_LAW = Wording()
"""For the rehearsal of an old book, whose contacts are never made."""


def wording(law: LawTerms | None, *, channel: Channel, on: date, first_contact: bool, speaks: Speaks = "claim") -> Wording:
    """What binds a message by `channel` on the debtor's local day `on`.

    `first_contact`: nothing has yet been said to this debtor of this debt; in writing it is then the first notice letter. A call
    plays a script to whoever answers, so it is bound like a recorded message of limited content. A text that tells of nothing
    owed is bound only by what may be said to anyone. Each item and deed stands once, with the first rule that names it.
    """
    if law is None:
        return NO_LAW
    facts: dict[str, Any] = {
        "first_contact": first_contact,
        "message_type": _message_type(channel, first_contact=first_contact, speaks=speaks),
        "prerecorded": channel is Channel.VOICE,
    }
    says: dict[str, Notice] = {}
    never: dict[str, Ban] = {}
    allowed = {"claim": None, "receipt": _TOLD_OF_A_RECEIPT, "nobody": _TOLD_TO_ANYONE}[speaks]
    for rule in _binding(law, law_channel(channel), on, facts):
        if isinstance(rule, MustSay):
            for item in rule.items:
                if allowed is None or item in allowed:
                    says.setdefault(item, Notice(item, rule.id, rule.citation))
        elif isinstance(rule, Content):
            for deed in rule.never:
                never.setdefault(deed, Ban(deed, rule.id, rule.citation))
    return Wording(tuple(says.values()), tuple(never.values()), law.party)


def _message_type(channel: Channel, *, first_contact: bool, speaks: Speaks) -> str:
    if channel is Channel.VOICE:
        return "limited_content_voicemail"
    if speaks == "receipt":
        return "transaction_confirmation"
    if speaks == "nobody":
        return "identity_check"
    return "notice_letter" if first_contact and channel in _WRITTEN else "collection"


def _binding(law: LawTerms, channel: str, on: date, told: dict[str, Any]) -> Iterator[AnyRule]:
    known = shipped_law(law.settings)
    for pack in known.layers(law.packs):
        facts = {**(pack.assumes if pack.jurisdiction in law.packs else {}), **law.facts, **told}
        for rule in pack.rules:
            if not isinstance(rule, (MustSay, Content)) or (rule.channels and channel not in rule.channels):
                continue
            if rule.setting and known.chosen(pack, rule.setting) != rule.value:
                continue
            in_force = (rule.from_ is None or rule.from_ <= on) and (rule.until is None or on <= rule.until)
            if in_force and rule.binds_this(law.party, law.debtor.value, facts):
                yield rule
