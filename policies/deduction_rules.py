"""What deductions and indexed debts make of the next step: documents are asked for, never dunned; a likely deduction waits.

Rules: `deduction.certificate` (playbook 3: payment rungs stop, a document request instead, at most monthly), `deduction.proposed`
(a gap that looks like a deduction waits for a person, until its end), `index.unknown` (no message at a value nobody knows).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Final

from policies.case import NOT_MADE, Case, choose, open_agreement
from policies.deductions import Deduction
from policies.facts import InvoiceFacts
from policies.ladder import day_start, local_day, local_moment
from policies.manual_checks import CERTIFICATE_REQUEST
from policies.steps import Ask, Close, Contact, Skip, Step, Wait
from policies.terms import Channel, ContactKey

CERTIFICATE, PROPOSED, UNKNOWN = "deduction.certificate", "deduction.proposed", "index.unknown"
REQUESTS_MAX: Final = 6
REQUEST_EVERY_DAYS: Final = 31
"""At most one request in a month, whatever month (playbook 3)."""
FIRST_AFTER_DAYS: Final = 10
"""Days after the net was paid before the document is asked for: it usually comes by itself."""
VALUE_WAIT_DAYS: Final = 10
"""Days on which a message waits for the value of an index before its rung is passed over."""
VALUE_ASKED: Final = "index_value"
_WRITTEN = (Channel.EMAIL, Channel.WHATSAPP, Channel.SMS, Channel.LETTER)
WITHOUT_SUMS = frozenset({CERTIFICATE_REQUEST, "holder_check"})
"""Texts that name no sum of the debt itself, so that no value is needed for them."""


def missing_documents(facts: InvoiceFacts) -> list[Deduction]:
    """The deductions whose certificate or deposit has still to come, once nothing else is owed; empty before that."""
    if facts.status != "open" or facts.balance_minor > 0:
        return []
    return [one for one in facts.deductions if one.document_missing]


def documents(case: Case) -> Step | None:
    """The net is paid and a document is missing: it is asked for, at most monthly and six times; then a person is."""
    facts, now = case.facts, case.now
    missing = missing_documents(facts)
    if not missing or open_agreement(facts) is not None:
        return None
    keys = [ContactKey(0, facts.cycle, CERTIFICATE_REQUEST, n) for n in range(REQUESTS_MAX)]
    passed = {one.key for one in facts.skipped}
    made = {one.key: one.local_date for one in facts.contacts if one.state not in NOT_MADE}
    dealt = [key for key in keys if str(key) in made or str(key) in passed]
    first = local_day(max((one.settled_at for one in missing if one.settled_at), default=now), facts.zone)
    day = first + timedelta(days=FIRST_AFTER_DAYS + REQUEST_EVERY_DAYS * len(dealt))
    if made:
        last = max((made[str(key)] for key in keys if str(key) in made), default=date.min)
        day = max(day, last + timedelta(days=REQUEST_EVERY_DAYS)) if last > date.min else day
    if len(dealt) == REQUESTS_MAX:
        return _a_person(case, missing, local_moment(day, case.manual.send_at, facts.zone))
    return _request(case, missing, keys[len(dealt)], day)


def _request(case: Case, missing: list[Deduction], key: ContactKey, day: date) -> Step:
    facts, now = case.facts, case.now
    moment = local_moment(day, case.manual.send_at, facts.zone)
    asked = max(moment, now)
    ends = max(day_start(day + timedelta(days=14), facts.zone), now + timedelta(days=1))
    total = sum(one.open_minor if one.deposited and one.open_minor > 0 else one.amount_minor for one in missing)
    chosen = choose(case, key, _WRITTEN, asked, ends, False, total, template=CERTIFICATE_REQUEST)
    said = f"{len(missing)} of the deductions still lacks its document"
    if chosen is None:
        if now < moment:
            return Wait(at=moment, why=f"The net is paid; {said}.", rules=(CERTIFICATE,), until="document")
        why = f"The document cannot be asked for: nobody may be reached before {ends.date().isoformat()}."
        return Skip(at=now, why=why, rules=(CERTIFICATE,), key=str(key), rung=CERTIFICATE_REQUEST)
    reach, slot = chosen
    return Contact(
        at=slot.at or asked,
        why=f"The net is paid; {said}: request {key.occurrence + 1} of {REQUESTS_MAX}.",
        rules=(CERTIFICATE, *slot.rules),
        key=str(key),
        rung=CERTIFICATE_REQUEST,
        channel=reach.channel,
        person_id=reach.person_id,
        address_id=reach.address_id,
        template=CERTIFICATE_REQUEST,
        instalment=0,
        amount_minor=total,
        rung_at=moment if slot.rules or now >= moment else slot.at or asked,
        window_ends=slot.window_ends,
        reserve=False,
    )


def _a_person(case: Case, missing: list[Deduction], moment: datetime) -> Step:
    """Every request has been used: once the last one has had its month, a person decides, and the ladder ends."""
    facts, now = case.facts, case.now
    if now < moment:
        why = "Every request for the document has been used; it may still come."
        return Wait(at=moment, why=why, rules=(CERTIFICATE,), until="document")
    key = str(ContactKey(0, facts.cycle, CERTIFICATE_REQUEST, REQUESTS_MAX))
    if all(one.key != key for one in facts.skipped):
        numbers = ", ".join(str(one.number) for one in missing)
        return Ask(
            at=now,
            why=f"The document of deduction {numbers} did not come: record it, or reclassify the sum as a short payment.",
            rules=(CERTIFICATE,),
            task="certificate_missing",
            key=f"{facts.invoice_id}:{facts.cycle}",
            due_at=now + timedelta(days=10),
            rung_key=key,
        )
    why = "The net is paid; the missing document is for a person to decide."
    return Close(at=now, why=why, rules=(CERTIFICATE, "close.ladder_ended"), outcome="ladder_ended")


def beside(case: Case, ladder: Callable[[Case], Step]) -> Step:
    """The ladder of what is owed for certain; a remainder that looks like a deduction waits for a person beside it."""
    waiting = [one for one in case.facts.deductions if one.state == "proposed" and one.decide_by and case.now < one.decide_by]
    if not waiting:
        return ladder(case)
    ends = min(one.decide_by for one in waiting if one.decide_by)
    wait = Wait(
        at=ends,
        why=f"The remainder looks like {', '.join(one.kind for one in waiting)}: a person confirms or declines it.",
        rules=(PROPOSED,),
        until="person",
    )
    rest = _without(case, waiting)
    if rest.facts.balance_minor <= 0:
        return wait
    step = ladder(rest)
    return wait if isinstance(step, Close) or step.at > ends else step


def _without(case: Case, waiting: list[Deduction]) -> Case:
    taken: dict[int, int] = {}
    for one in waiting:
        taken[one.instalment] = taken.get(one.instalment, 0) + one.amount_minor
    instalments = tuple(
        part.model_copy(update={"balance_minor": max(part.balance_minor - taken.get(part.number, 0), 0)})
        for part in case.facts.instalments
    )
    return case._replace(facts=case.facts.model_copy(update={"instalments": instalments}))


def valued(case: Case, step: Step) -> Step:
    """A message about an indexed debt waits while the value of its day is not known; operations are told on each such day."""
    facts, now = case.facts, case.now
    today = local_day(now, facts.zone)
    if not isinstance(step, Contact) or step.at > now or facts.value_missing_on != today or step.template in WITHOUT_SUMS:
        return step
    prefix = f"0.{facts.cycle}.{VALUE_ASKED}."
    asked = {int(one.key.removeprefix(prefix)) for one in facts.skipped if one.key.startswith(prefix)}
    what = f"one {facts.currency} in {facts.payment_currency} on {today.isoformat()}"
    if today.toordinal() not in asked:
        return Ask(
            at=now,
            why=f"The value of {what} is not known: messages wait for it.",
            rules=(UNKNOWN,),
            task="load_index_value",
            key=f"{facts.currency}:{facts.payment_currency}:{today.isoformat()}",
            due_at=now + timedelta(days=1),
            rung_key=f"{prefix}{today.toordinal()}",
        )
    if sum(1 for day in asked if today.toordinal() - day < 2 * VALUE_WAIT_DAYS) > VALUE_WAIT_DAYS:
        why = f"{step.rung} is passed over: the value of {what} was not known for {VALUE_WAIT_DAYS} days."
        return Skip(at=now, why=why, rules=(UNKNOWN,), key=step.key, rung=step.rung)
    tomorrow = day_start(today + timedelta(days=1), facts.zone)
    return Wait(at=tomorrow, why=f"{step.rung} waits: the value of {what} is not known.", rules=(UNKNOWN,), until="value")
