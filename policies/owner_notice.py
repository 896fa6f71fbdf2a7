"""The account's owner hears of a firm rung two working days before it, and may hold it once (playbook 3 and 4.3, B6).

The notice is asked for at its moment; where that was missed (the invoice came in late, an owner was named late), it is asked for
at once and the rung goes two working days after it. Of a key account the notice is a question: without a person's yes by the
rung's moment the rung is passed over, and the lead is told (playbook 2).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from policies.calendars import add_working_days
from policies.case import Case
from policies.ladder import Candidate, local_day, local_moment
from policies.steps import Ask, Contact, Step, Wait
from policies.terms import ContactKey

NOTICE_WD = 2
"""Working days of the creditor between the notice and the rung."""
TOLD = "owner.told_ahead"
TASK = "firm_rung_ahead"
YES_TASK = "firm_rung_yes"
SKIPPED_TASK = "key_rung_skipped"
TOLD_LEAD_DAYS = 5
STALE_DAYS = 5
"""A notice that came so much earlier than it would now, because the due date was moved since, is given again."""


def notice_key(candidate: Candidate, nth: int = 1) -> str:
    """What a notice of a rung is known by among what was dealt with; never the key of a rung."""
    instalment, cycle, rung, occurrence = candidate.key
    return str(ContactKey(instalment, cycle, f"ahead{nth if nth > 1 else ''}-{rung}", occurrence))


def tell(case: Case, rungs: Sequence[Candidate]) -> Ask | None:
    """The notice that is due now, if any."""
    for candidate in _untold(case, rungs):
        if case.now >= _due(case, candidate):
            goes_at = max(candidate.at, _earliest(case, case.now))
            why = f"{candidate.rung.rung} is firm and falls on {local_day(goes_at, case.facts.zone).isoformat()}"
            key, is_key = _notice(case, candidate).key, case.facts.key_account
            may = (
                "a key account needs a person's yes by then"
                if is_key
                else "its owner may hold it once, for up to five working days"
            )
            return Ask(
                at=case.now, why=f"{why}: {may}.", rules=(TOLD,), task=YES_TASK if is_key else TASK,
                key=f"{case.facts.invoice_id}:{key}", due_at=goes_at, rung_key=key,
            )  # fmt: skip
    return None


def waits_for_yes(case: Case, candidate: Candidate) -> Wait | Ask | None:
    """A key account's firm rung until a person has said yes; at its moment it is passed over, and a task tells the lead.

    `candidate` is what after_notice made of it.
    """
    if not case.facts.key_account or not _needs(case, candidate):
        return None
    notice = _notice(case, candidate)
    if notice.told_at is None or notice.key in case.facts.firm_yes:
        return None
    rung = candidate.rung.rung
    if case.now < candidate.at:
        why = f"{rung} waits for a person's yes; without one by then it is passed over."
        return Wait(at=candidate.at, why=why, rules=("segment.key",), until="approval")
    return Ask(
        at=case.now, why=f"{rung} was passed over: nobody said yes to it for this key account.", rules=("segment.key_no_answer",),
        task=SKIPPED_TASK, key=f"{case.facts.invoice_id}:{candidate.key}", due_at=case.now + timedelta(days=TOLD_LEAD_DAYS),
        rung_key=str(candidate.key),
    )  # fmt: skip


def after_notice(case: Case, candidate: Candidate) -> Candidate:
    """The rung as the notice lets it go: at its own moment, or two working days after a notice that came late."""
    if not _needs(case, candidate):
        return candidate
    told = _told_at(case, candidate)
    if told is None or told <= _due(case, candidate):
        return candidate
    return candidate._replace(at=max(candidate.at, _earliest(case, told)))


def not_beyond(case: Case, step: Step, rungs: Sequence[Candidate]) -> Step:
    """Wake up for the next notice where the step would sleep past it; a slot that is reserved stays reserved."""
    coming = [(due, candidate) for candidate in _untold(case, rungs) if (due := _due(case, candidate)) > case.now]
    if not coming or (isinstance(step, Contact) and step.reserve):
        return step
    due, candidate = min(coming, key=lambda pair: pair[0])
    if step.at <= due:
        return step
    why = f"{candidate.rung.rung} is firm and falls on {candidate.day.isoformat()}; the account's owner is told then."
    return Wait(at=due, why=why, rules=("owner.notice",), until="notice")


def _needs(case: Case, candidate: Candidate) -> bool:
    return (case.facts.has_owner or case.facts.key_account) and candidate.rung.firm and candidate.rung.action == "contact"


def _untold(case: Case, rungs: Sequence[Candidate]) -> list[Candidate]:
    if not (case.facts.has_owner or case.facts.key_account):
        return []
    return [rung for rung in rungs if _needs(case, rung) and _told_at(case, rung) is None]


class _Notice(NamedTuple):
    key: str
    told_at: datetime | None


def _notice(case: Case, candidate: Candidate) -> _Notice:
    """The notice that counts for the rung as it stands now: given, or still to be given under that key."""
    told = {past.key: past.passed_at for past in case.facts.skipped}
    stale, nth = _due(case, candidate) - timedelta(days=STALE_DAYS), 1
    while (at := told.get(notice_key(candidate, nth))) is not None and at < stale:
        nth += 1
    return _Notice(notice_key(candidate, nth), at)


def _told_at(case: Case, candidate: Candidate) -> datetime | None:
    return _notice(case, candidate).told_at


def _due(case: Case, candidate: Candidate) -> datetime:
    day = add_working_days(candidate.day, -NOTICE_WD, case.facts.creditor_country)
    return local_moment(day, case.manual.send_at, case.facts.creditor_zone)


def _earliest(case: Case, told: datetime) -> datetime:
    day = add_working_days(local_day(told, case.facts.creditor_zone), NOTICE_WD, case.facts.creditor_country)
    return local_moment(day, case.manual.send_at, case.facts.zone)
