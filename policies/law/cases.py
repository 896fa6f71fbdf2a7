"""Truth cases for law packs: reads them, asks the engine, and says where it differs (`puntual rules check`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BeforeValidator, Field, ValidationError

from policies.hours import zone_of
from policies.law.base import LawChannel, Party
from policies.law.count import LawContact
from policies.law.engine import Law, LawVerdict, Question, Refusal
from policies.law.packs import HOUSE
from policies.law.vocabulary import normalised, plain
from policies.terms import Instant, Model


class CaseError(ValueError):
    """A file of cases that cannot be read; the text says which case, what and where."""


_CHANNELS = {
    "phone": "call",
    "phone_call": "call",
    "voice": "call",
    "voicemail": "call",
    "ringless_voicemail": "call",
    "text": "sms",
    "e-mail": "email",
    "mail": "letter",
    "post": "letter",
    "instant_message": "chat",
    "social_media": "social",
}
CaseChannel = Annotated[
    LawChannel, BeforeValidator(lambda given: _CHANNELS.get(given, given) if isinstance(given, str) else given)
]
"""A channel under its own name or another that cases use."""

_ONCE = ("opt_out_confirmation", "consent_request")
_OUTCOMES = dict.fromkeys(
    ("not_connected", "out_of_service", "disconnected", "number_out_of_service", "number_not_in_service"),
    "not_connected_to_number",
)
_NOT_THE_DEBTOR = ("attorney", "creditor", "creditor_attorney", "credit_bureau")


class Prior(Model):
    """An earlier contact as a case states it; what else it says of the contact is not needed."""

    model_config = {"frozen": True, "extra": "ignore"}

    at: Instant
    channel: CaseChannel
    connected: bool = False
    outcome: str = ""
    debt_id: str = ""
    account_id: str = ""
    inbound: bool = False
    direction: str = ""
    initiated_by: str = ""
    recipient: str = ""
    consented: bool = False
    prior_consent: bool = False
    with_prior_consent: bool = False
    consent: bool = False
    number_type: str = ""
    place: str = ""
    creditor_id: str = ""
    message_type: str = ""

    def from_the_debtor(self) -> bool:
        """Whether the debtor made this contact."""
        said = self.direction.startswith("in") or "inbound" in self.outcome or self.outcome == "consumer_called"
        return self.inbound or said or self.initiated_by in ("debtor", "consumer")

    def with_the_debtor(self) -> bool:
        """Whether it reached out to the debtor: a call to the lawyer, the creditor or a credit bureau is none to the debtor."""
        return self.person() not in _NOT_THE_DEBTOR

    def person(self) -> str:
        """Who was reached, in the words of the vocabulary."""
        return str(normalised({"recipient": self.recipient or "debtor"})[0]["recipient"])

    def told(self, debt: str) -> LawContact:
        """As the engine counts it; a contact that names no debt was about the one in question."""
        own = self.debt_id or self.account_id or debt
        said, _ = normalised({"place": self.place, "number_type": self.number_type})
        return LawContact(
            at=self.at,
            channel=self.channel,
            connected=self.connected,
            outcome=_OUTCOMES.get(self.outcome, self.outcome),
            debts=(own,) if own else (),
            account=own,
            creditor=self.creditor_id,
            inbound=self.from_the_debtor(),
            consented=self.consented or self.prior_consent or self.with_prior_consent or self.consent,
            place=str(said["place"] or said["number_type"]),
            person=self.person(),
        )


class Case(Model):
    """One truth case; `expect` and `next_allowed_local` are what the engine must say."""

    model_config = {"frozen": True, "extra": "ignore"}

    id: str
    jurisdiction: str
    local_datetime: Instant
    tz: str
    channel: CaseChannel
    party: Party
    debtor: Literal["consumer", "business"]
    prior_contacts: tuple[Prior, ...] = ()
    facts: dict[str, Any] = Field(default={})
    expect: Literal["allow", "deny"]
    next_allowed_local: datetime | None = None
    check_next: bool = True
    certainty: str = "text"

    def question(self) -> tuple[Question, tuple[str, ...]]:
        """The question for the engine, and the facts that the vocabulary does not know."""
        facts, unknown = normalised(self.facts, self.channel)
        self._use_up(facts)
        debt = str(facts.get("debt_id", ""))
        zones = tuple(dict.fromkeys((self.tz, *facts.get("possible_tz", ()))))
        return (
            Question(
                packs=(HOUSE, self.jurisdiction),
                at=self.local_datetime,
                zones=zones,
                channel=self.channel,
                party=self.party,
                debtor=self.debtor,
                contacts=tuple(prior.told(debt) for prior in self.prior_contacts if prior.with_the_debtor()),
                facts=facts,
                debt=debt,
                account=debt,
                person=str(plain("recipient", facts)),
            ),
            unknown,
        )

    def _use_up(self, facts: dict[str, Any]) -> None:
        """One answer is allowed, and one confirmation: not a second after ours of the same day, or after one that was sent."""
        ours = [prior for prior in self.prior_contacts if prior.channel == self.channel and not prior.from_the_debtor()]
        if any(prior.at.date() == self.local_datetime.date() for prior in ours):
            facts.pop("reply_to_debtor_same_channel", None)
        kind = facts.get("message_type")
        if kind in _ONCE and any(prior.message_type == kind or prior.outcome == kind for prior in ours):
            facts["message_type"] = "collection"


class Result(NamedTuple):
    """What the engine says to one case, and how it differs from what the case expects."""

    case: Case | Unreadable
    verdict: LawVerdict
    next_local: datetime | None
    unknown: tuple[str, ...]
    differs: str

    def line(self) -> dict[str, Any]:
        """As JSON: id, verdict, next_allowed_local, rules; `differs` and `unknown_facts` only where there are some."""
        found: dict[str, Any] = {
            "id": self.case.id,
            "verdict": "allow" if self.verdict.allowed else "deny",
            "next_allowed_local": self.next_local.isoformat() if self.next_local is not None else None,
            "rules": list(self.verdict.rules),
        }
        if self.unknown:
            found["unknown_facts"] = list(self.unknown)
        if self.differs:
            found["differs"] = self.differs
        return found


class Unreadable(NamedTuple):
    """A case that cannot be read: its id, if it has one, and why."""

    id: str
    why: str
    certainty: str = "unreadable"


def read_cases(data: Any, source: str) -> list[Case]:
    """The cases of a JSON list (or of `{"cases": [...]}`). Raises CaseError with every case that cannot be read."""
    read = read_all(data, source)
    problems = [each.why for each in read if isinstance(each, Unreadable)]
    if problems:
        raise CaseError("\n".join(problems))
    return [each for each in read if isinstance(each, Case)]


def read_all(data: Any, source: str) -> list[Case | Unreadable]:
    """Every case of a file, one that cannot be read as Unreadable. Raises CaseError where there is no list of cases at all."""
    listed = data.get("cases") if isinstance(data, Mapping) else data
    if not isinstance(listed, list):
        raise CaseError(f"{source}: a file of cases is a JSON list of objects, or an object with such a list under `cases`")
    return [_read(each, f"{source}: case {number}") for number, each in enumerate(listed, 1)]


def _read(given: Any, where: str) -> Case | Unreadable:
    try:
        return Case.model_validate(given)
    except ValidationError as error:
        name = str(given.get("id", "without id")) if isinstance(given, Mapping) else "not an object"
        told = "; ".join(
            f"{'.'.join(map(str, e['loc']))}: {e['msg'].removeprefix('Value error, ')}" for e in error.errors(include_url=False)
        )
        return Unreadable(name, f"{where} ({name}): {told}")


def judge(law: Law, case: Case) -> Result:
    """Ask the engine about one case; a case whose jurisdiction, zone or facts cannot be used is refused and says why."""
    question, unknown = case.question()
    try:
        verdict = law.verdict(question)
    except (KeyError, ValueError, TypeError) as error:
        why = str(error.args[0])
        return Result(case, LawVerdict(False, None, (Refusal("case.unusable", why, "house"),)), None, unknown, why)
    next_local = None
    if not verdict.allowed and verdict.at is not None:
        next_local = verdict.at.astimezone(zone_of(case.tz))
    differs = []
    if verdict.allowed != (case.expect == "allow"):
        differs.append(f"expected {case.expect}")
    elif case.check_next and not verdict.allowed and next_local != case.next_allowed_local:
        wanted = case.next_allowed_local.isoformat() if case.next_allowed_local is not None else "never"
        differs.append(f"expected next {wanted}")
    return Result(case, verdict, next_local, unknown, "; ".join(differs))


def judged(law: Law, cases: Iterable[Case | Unreadable]) -> Iterator[Result]:
    """The results in the order of the cases; what cannot be read is refused and says why."""
    for case in cases:
        if isinstance(case, Case):
            yield judge(law, case)
        else:
            yield Result(case, LawVerdict(False, None, (Refusal("case.unusable", case.why, "house"),)), None, (), case.why)


def summary(results: list[Result]) -> dict[str, Any]:
    """Counts: all, passed, and passed of all by certainty."""
    total = Counter(result.case.certainty for result in results)
    passed = Counter(result.case.certainty for result in results if not result.differs)
    return {
        "cases": len(results),
        "passed": sum(passed.values()),
        "differ": len(results) - sum(passed.values()),
        "by_certainty": {name: {"passed": passed[name], "of": count} for name, count in sorted(total.items())},
    }
