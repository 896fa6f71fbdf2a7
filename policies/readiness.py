"""What a rung needs before it may speak of lateness: a due date that somebody stated, and an invoice that reached its customer.

Playbook 3: an assumed date allows courtesy rungs only (`due.assumed`); an invoice not shown to be delivered is first asked after
(`delivery.missing`). Every wait here ends: with the evidence, with a person's word, or with the rung skipped and the reason said.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from policies.case import Case, choose
from policies.delivery import Proof, objections, proof_of
from policies.delivery_facts import DELIVERY_CHECK
from policies.facts import InvoiceFacts
from policies.ladder import Candidate, day_start, local_day
from policies.law.packs import limits_of_law
from policies.manual_model import Rung, parse_day
from policies.steps import Ask, Contact, Skip, Step, Wait
from policies.terms import Channel, ContactKey

PATIENCE_DAYS = 30
"""How long a rung waits for a confirmed date or for evidence before it is passed over."""
CHECK_DAYS = 10
"""How long limits may move the delivery check before a person is asked instead."""
TASK_DAYS = 3
EARLY_DAYS, EARLY_WORKING_DAYS = 10, 7
"""Until when a rung sounds like a colleague who assumes a slip (playbook 6)."""
CONFIRM_DUE_DATE, PROVE_DELIVERY = "confirm_due_date", "prove_delivery"


def is_early(rung: Rung) -> bool:
    """A rung that may go on an assumed date: a message, not firm, before the due date or up to ten days after it."""
    day = parse_day(rung.day)
    most = EARLY_WORKING_DAYS if day.working else EARLY_DAYS
    return rung.action == "contact" and not rung.firm and (day.anchor == "issued" or day.days <= most)


def is_overdue_rung(rung: Rung) -> bool:
    """A message about lateness, or the decision on a late debt: it needs an invoice that was delivered."""
    day = parse_day(rung.day)
    return rung.action != "task" and day.anchor != "issued" and day.days > 0


def confirm_due(case: Case) -> Ask | None:
    """A person is asked once for the due date that nobody stated."""
    facts = case.facts
    key = str(ContactKey(0, 1, CONFIRM_DUE_DATE))
    if not any(part.due_assumed and part.balance_minor > 0 for part in facts.instalments) or _passed(facts, key):
        return None
    day = min(part.due_on for part in facts.instalments if part.due_assumed)
    return Ask(
        at=case.now,
        why=f"Nobody stated the due date; {day.isoformat()} is assumed and allows courtesy only: confirm or correct it.",
        rules=("due.assumed",),
        task=CONFIRM_DUE_DATE,
        key=facts.invoice_id,
        due_at=case.now + timedelta(days=TASK_DAYS),
        rung_key=key,
    )


def may_stand(case: Case, candidate: Candidate) -> bool:
    """Whether nothing here keeps the rung from going; one that may not go takes no other rung's place."""
    if candidate.instalment.due_assumed and candidate.rung.action != "task" and not is_early(candidate.rung):
        return False
    return not _needs_proof(case, candidate) or _is_shown(case, candidate, proof_of(case.facts, case.manual))


def not_ready(case: Case, candidate: Candidate) -> Step | None:
    """What happens in place of a rung that may not go yet; None: it may."""
    return _assumed(case, candidate) or _undelivered(case, candidate)


def _assumed(case: Case, candidate: Candidate) -> Step | None:
    rung, now = candidate.rung, case.now
    if not candidate.instalment.due_assumed or rung.action == "task" or is_early(rung):
        return None
    why = f"{rung.rung} needs a due date that somebody stated; {candidate.instalment.due_on.isoformat()} is assumed."
    rules = (f"ladder.{rung.rung}", "due.assumed")
    return _wait_or_skip(case, candidate, candidate.at + timedelta(days=PATIENCE_DAYS), "due_date", why, rules, now)


def _undelivered(case: Case, candidate: Candidate) -> Step | None:
    facts, rung, now = case.facts, candidate.rung, case.now
    if not _needs_proof(case, candidate):
        return None
    proof = proof_of(facts, case.manual)
    if _is_shown(case, candidate, proof):
        return None
    rules = (f"ladder.{rung.rung}", "delivery.missing")
    if proof is not None and proof.sure:
        why = (
            f"{rung.rung} waits until {proof.day.isoformat()}: by then the customer would have said that the invoice is missing."
        )
        return Wait(at=day_start(proof.day, facts.zone), why=why, rules=rules, until="delivery")
    check = _check(case, candidate) if proof is None else None
    if check is not None:
        return check
    why = f"{rung.rung} waits: the invoice is not shown to have reached the customer."
    asked_key = str(ContactKey(candidate.instalment.number, facts.cycle, f"{PROVE_DELIVERY}-{rung.rung}"))
    if now >= candidate.at and not _passed(facts, asked_key):
        return Ask(
            at=now,
            why=f"{rung.rung} waits: prove that the invoice was delivered, send it again, or waive it with a reason.",
            rules=rules,
            task=PROVE_DELIVERY,
            key=f"{facts.invoice_id}:{asked_key}",
            due_at=now + timedelta(days=TASK_DAYS),
            rung_key=asked_key,
        )
    return _wait_or_skip(case, candidate, candidate.at + timedelta(days=PATIENCE_DAYS), "delivery", why, rules, now)


def _needs_proof(case: Case, candidate: Candidate) -> bool:
    return case.manual.delivery == "required" and is_overdue_rung(candidate.rung)


def _is_shown(case: Case, candidate: Candidate, proof: Proof | None) -> bool:
    """A check that is out counts for what is to come; for what goes now it must have arrived."""
    if proof is None or not (proof.sure or case.now < candidate.at):
        return False
    return local_day(max(case.now, candidate.at), case.facts.zone) >= proof.day


def _check(case: Case, candidate: Candidate) -> Contact | None:
    """The delivery check, once after each objection, in place of the rung."""
    facts, now = case.facts, case.now
    key = ContactKey(0, facts.cycle, DELIVERY_CHECK, len(objections(facts)))
    asked = max(candidate.at, now)
    ends = asked + timedelta(days=CHECK_DAYS)
    channels = (Channel.EMAIL, Channel.LETTER)
    chosen = choose(case, key, channels, asked, ends, False, facts.balance_minor, template=DELIVERY_CHECK)
    if chosen is None or _passed(facts, str(key)):
        return None
    reach, slot = chosen
    at = slot.at or asked
    why = f"{candidate.rung.rung} waits: first the customer is asked whether the invoice was received"
    return Contact(
        at=at,
        why=f"{why}; {slot.why}" if slot.rules else f"{why}.",
        rules=("delivery.missing", *slot.rules),
        key=str(key),
        rung=DELIVERY_CHECK,
        channel=reach.channel,
        person_id=reach.person_id,
        address_id=reach.address_id,
        template=DELIVERY_CHECK,
        instalment=0,
        amount_minor=facts.balance_minor,
        rung_at=candidate.at if slot.rules or at <= asked else at,
        window_ends=slot.window_ends,
        reserve=at > now >= candidate.at and any(r.startswith("budget.") or r in limits_of_law() for r in slot.rules),
    )


def _wait_or_skip(
    case: Case, candidate: Candidate, ends: datetime, until: str, why: str, rules: tuple[str, ...], now: datetime
) -> Wait | Skip:
    if now < candidate.at:
        return Wait(at=candidate.at, why=why, rules=rules, until="rung")
    if now < ends:
        return Wait(at=ends, why=why, rules=rules, until=until)
    return Skip(
        at=now, why=f"{why} Nobody did for {PATIENCE_DAYS} days.", rules=rules, key=str(candidate.key), rung=candidate.rung.rung
    )


def _passed(facts: InvoiceFacts, key: str) -> bool:
    return any(skipped.key == key for skipped in facts.skipped)
