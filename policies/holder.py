"""A telephone is nobody's until its holder says so: before that it gets a question, and never a debt, a sum or a due date.

(playbook 6, unknown holder; playbook 2, last row.) A confirmed telephone that stays silent for 180 days is unconfirmed again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from policies.facts import InvoiceFacts, Reach
from policies.terms import AttemptState, Channel, ContactKey

HOLDER_CHECK = "holder_check"
"""The text of the question, and the beginning of its rung's id: `holder_check-1a2b3c4d-1`."""
PHONES = frozenset({Channel.SMS, Channel.WHATSAPP, Channel.VOICE})
SILENT_DAYS = 180
"""After so many days without a sign of life a telephone may have another holder."""
ASK_AGAIN_DAYS = 30
CHECKS_MAX = 3
"""How often a number is asked in all; after that a person finds out."""


def confirmed(reach: Reach, at: datetime) -> bool:
    """Whether a message to this address may speak of the debt at that moment."""
    if reach.channel not in PHONES:
        return True
    return reach.verified and (reach.heard_at is None or at < reach.heard_at + timedelta(days=SILENT_DAYS))


def checks_of(facts: InvoiceFacts, reach: Reach) -> list[datetime]:
    """When this number was asked, oldest first, whichever way and about whichever invoice."""
    same = {r.address_id for r in facts.reach if r.person_id == reach.person_id and r.number and r.number == reach.number}
    same.add(reach.address_id)
    made = {e.at for e in facts.budget if e.template == HOLDER_CHECK and e.address_id in same and _went(e.state)}
    return sorted({*reach.checks, *made})


def may_ask_from(facts: InvoiceFacts, reach: Reach) -> datetime | None:
    """From when on this number may be asked; None when it was asked often enough."""
    checks = checks_of(facts, reach)
    if len(checks) >= CHECKS_MAX:
        return None
    return checks[-1] + timedelta(days=ASK_AGAIN_DAYS) if checks else facts.entered_at


def check_key(facts: InvoiceFacts, reach: Reach) -> ContactKey:
    """Makes each question to a number unique."""
    number = (reach.number or reach.address_id)[:8]
    return ContactKey(0, facts.cycle, f"{HOLDER_CHECK}-{number}-{len(checks_of(facts, reach)) + 1}", 0)


def is_check(key: str) -> bool:
    """Whether a contact was such a question, and so told nothing of the debt."""
    return ContactKey.parse(key).rung.startswith(HOLDER_CHECK)


def unconfirmed(reaches: Sequence[Reach], channels: Sequence[Channel], at: datetime) -> list[Reach]:
    """The telephones of a rung's channels that may be used and whose holder is not known, in the rung's order."""
    found = [r for r in reaches if r.permitted and r.channel in channels and not confirmed(r, at)]
    return sorted(found, key=lambda r: channels.index(r.channel))


def _went(state: AttemptState) -> bool:
    return state not in (AttemptState.PLANNED, AttemptState.FAILED)
