"""Each decision recorded: what was known, what was answered, by which rules and versions (I9), and what it does to the rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from importlib.metadata import version
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from pydantic_core import to_json
from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger import consequences, deductions, feeds, handoff
from ledger.events import tell
from ledger.session import Prepared
from ledger.tasks import open_task
from policies.facts import InvoiceFacts
from policies.feeds import is_late
from policies.forecast import Rider, settle
from policies.law.packs import CONSENT_RULES, pack_versions
from policies.manual import Manual
from policies.steps import Ask, Close, Contact, HandOff, Judge, Place, Recall, Skip, Step, Wait
from policies.terms import AttemptState

# What is no longer to be done: everything but a dead address once nothing is owed; the placement once nobody answered in time.
_MOOT = text(
    "update task set done_at = :now, outcome = 'closed: ' || :outcome where invoice_id = :invoice and done_at is null"
    " and (kind = 'approve_placement' or (:settled and kind <> 'fix_contact'))"
)
# What the owner let pass without a hold: after the moment of the rung there is nothing left to say.
_UNANSWERED = text(
    "update task set done_at = :now, outcome = case kind when 'firm_rung_ahead' then 'not_held' else 'no_answer' end"
    " where invoice_id = :invoice and kind in ('firm_rung_ahead', 'firm_rung_yes') and done_at is null and due_at <= :now"
)
_SETTLED = ("paid", "credited", "cancelled", "written_off", "recalled_paid", "settled_in_erp")
_FREE = text("delete from contact where invoice_id = :invoice and state = 'planned'")
_VERSIONS = {"policy": version("puntual"), "tzdata": version("tzdata"), "holidays": version("holidays")}

_STEP = Prepared(
    "step",
    """
    insert into step (creditor_id, invoice_id, asked_at, kind, at_utc, key, rung, channel, why, rules, revision, facts, answer,
        versions)
    values (:creditor, :invoice, :asked, :kind, :at, :key, :rung, :channel, :why, :rules, :revision, :facts, :answer, :versions)
    returning id
    """,
    creditor="uuid", invoice="uuid", asked="timestamptz", kind="text", at="timestamptz", key="text", rung="text", channel="text",
    why="text", rules="text[]", revision="bigint", facts="jsonb", answer="jsonb", versions="jsonb",
)  # fmt: skip

_NEXT = Prepared(
    "next",
    """
    update invoice set next_step_id = :step_id, next_kind = :kind, next_at = :at, next_why = :why,
        next_rung = :rung, next_channel = :channel,
        held_why = coalesce(:held, case when :clear then null else held_why end), seen_revision = :seen,
        outcome = :outcome,
        outcome_at = case when cast(:outcome as text) is null then null when outcome = :outcome then outcome_at
            else cast(:now as timestamptz) end
    where id = :invoice returning old.next_at, old.next_kind, old.outcome
    """,
    invoice="uuid", step_id="bigint", kind="text", at="timestamptz", why="text", rung="text", channel="text", held="text",
    clear="boolean", seen="bigint", outcome="text", now="timestamptz",
)  # fmt: skip

_PLANNED = text(
    """
    insert into contact (id, creditor_id, account_id, invoice_id, person_id, address_id, key, attempt, rung, channel, template,
        state, amount_minor, currency, at_utc, zone, at_local, local_date, utc_offset_min, late_days)
    values (:id, :creditor, :account, :invoice, :person, :address, :key,
        (select coalesce(max(attempt), 0) + 1 from contact where invoice_id = :invoice and key = :key),
        :rung, :channel, :template, 'planned', :amount, :currency, :at, :zone, :local, :day, :offset, :late)
    """
)


def local_columns(at: datetime, zone: str) -> dict[str, Any]:
    """An instant as the ledger stores it: its zone, local time, local date and offset, by the pinned zone data."""
    local = at.astimezone(ZoneInfo(zone))
    offset = local.utcoffset()
    return {
        "at": at,
        "zone": zone,
        "local": local.replace(tzinfo=None),
        "day": local.date(),
        "offset": int(offset.total_seconds() // 60) if offset else 0,
    }


def decide(
    session: Session, facts: InvoiceFacts, manual: Manual, now: datetime, *, contacting: bool = False
) -> tuple[InvoiceFacts, Contact | Wait | Close, int]:
    """Ask the policy, apply what is due at once, record every answer; returns what is to be obeyed and its step id.

    The caller holds the debtor's lock. Nothing is sent here. `contacting`: a contact that is due will be claimed in this very
    transaction, so its reserved slot is given up and the invoice keeps its present step until the outcome is recorded.
    """
    reserved = any(past.state is AttemptState.PLANNED for past in facts.contacts)
    facts, answers, obeyed = settle(facts, manual, now)
    for given, step in answers:
        _apply(session, given, step, _record(session, given, step, now), now)
    step_id = _record(session, facts, obeyed, now)
    if reserved:
        session.execute(_FREE, {"invoice": facts.invoice_id})
    if not (contacting and isinstance(obeyed, Contact) and obeyed.at <= now):
        _set_next(session, facts, obeyed, step_id, now)
    return facts, obeyed, step_id


def pass_over(session: Session, facts: InvoiceFacts, skips: Sequence[Skip], now: datetime) -> None:
    """Record rungs that are over by a person's or the customer's word, not by the ladder's own. The caller holds the lock."""
    for skip in skips:
        _record(session, facts, skip, now)


def take_along(session: Session, rider: Rider, now: datetime) -> int:
    """Record that a rung of another invoice goes with a message of this debtor; returns its step id.

    The caller holds the debtor's lock and claims it in this transaction. That invoice is asked again at once.
    """
    for given, answer in rider.answers:
        _apply(session, given, answer, _record(session, given, answer, now), now)
    step_id = _record(session, rider.facts, rider.step, now)
    session.execute(_FREE, {"invoice": rider.facts.invoice_id})
    session.execute(
        text("update invoice set next_at = least(next_at, :now) where id = :id"), {"now": now, "id": rider.facts.invoice_id}
    )
    return step_id


def _record(session: Session, facts: InvoiceFacts, step: Step, now: datetime) -> int:
    key = step.rung_key if isinstance(step, Ask) else getattr(step, "key", None)
    row = _STEP.ask(
        session,
        {
            "creditor": facts.creditor_id,
            "invoice": facts.invoice_id,
            "asked": now,
            "kind": step.kind,
            "at": step.at,
            "key": key or None,
            "rung": getattr(step, "rung", None),
            "channel": getattr(step, "channel", None),
            "why": step.why,
            "rules": list(step.rules),
            "revision": facts.revision,
            "facts": facts.model_dump_json(exclude_defaults=True),
            "answer": step.model_dump_json(),
            "versions": to_json(versions_of(facts)).decode(),
        },
    )
    return int(row.scalar_one())


def versions_of(facts: InvoiceFacts) -> dict[str, str | dict[str, str]]:
    """Under what a decision from these facts is made (I9): policy, tzdata, holidays, manual, and the law packs that spoke."""
    return {**_VERSIONS, "manual": facts.manual_id[:16], "law": _law_versions(facts)}


def _law_versions(facts: InvoiceFacts) -> dict[str, str]:
    """The packs that spoke, each as it stood: so that last year's decision still explains itself."""
    known = pack_versions()
    return {code: known[code] for code in facts.law.packs} if facts.law is not None else {}


_HOLDING = frozenset(
    """
    pause dispute stop suppression exemption already_paid payment_in_process owner ceiling payment_data balance_differs unapplied
    part_payment own_promise instrument ceded reply approval delivery due_date
    """.split()
)
"""What is waited for where something holds the invoice back; the console says why."""


def _set_next(session: Session, facts: InvoiceFacts, step: Contact | Wait | Close, step_id: int, now: datetime) -> None:
    """Keep what is to be obeyed on the invoice; reserve a slot that limits moved; say once why something is held back or ends."""
    invoice = {"invoice": facts.invoice_id}
    held = step.why if isinstance(step, Wait) and step.until in _HOLDING else None
    if isinstance(step, Wait):
        _tell_people(session, facts, step, now)
    moved = isinstance(step, Contact) and step.at > now >= step.rung_at
    if isinstance(step, Contact) and moved:
        held = step.why
        if step.reserve:
            _reserve(session, facts, step)
    if facts.has_owner or facts.key_account:
        session.execute(_UNANSWERED, {**invoice, "now": now})
    before = _NEXT.ask(
        session,
        {
            **invoice, "step_id": step_id, "kind": step.kind, "at": step.at, "why": step.why, "rung": getattr(step, "rung", None),
            "channel": getattr(step, "channel", None), "held": held, "clear": isinstance(step, Close), "seen": facts.revision,
            "outcome": step.outcome if isinstance(step, Close) else None, "now": now,
        },
    ).one()  # fmt: skip
    if isinstance(step, Contact) and moved and (before.next_at != step.at or before.next_kind != step.kind):
        detail = {"step": step_id, "key": step.key, "rung": step.rung, "until": step.at.isoformat()}
        tell(session, facts.invoice_id, at=now, kind="held_back", detail=detail)
    elif isinstance(step, Close) and before.outcome != step.outcome:
        tell(session, facts.invoice_id, at=now, kind="closed", detail={"step": step_id, "outcome": step.outcome})
        session.execute(_MOOT, {**invoice, "outcome": step.outcome, "settled": step.outcome in _SETTLED, "now": now})
        if step.outcome in consequences.UNDONE_BY:
            consequences.undo_when_paid(session, facts.invoice_id, now=now)


def _tell_people(session: Session, facts: InvoiceFacts, step: Wait, now: datetime) -> None:
    """Some waits are for work that a person must be asked for; each is asked for once."""
    if {"feed.late", "promise.bank_day"}.intersection(step.rules):
        late = [f for f in facts.feeds if is_late(f, now, facts.creditor_zone, facts.creditor_country)]
        feeds.tell_operations(session, facts.creditor_id, late, zone=facts.creditor_zone, now=now)
    if "unapplied.credit" in step.rules and facts.credit_since is not None:
        key = f"{facts.account_id}:{facts.currency}:{facts.credit_since.isoformat()}"
        _task(session, facts, "apply_credit", key, step.why, step.at, now)


def _reserve(session: Session, facts: InvoiceFacts, step: Contact) -> None:
    session.execute(
        _PLANNED,
        {
            "id": str(uuid4()), "creditor": facts.creditor_id, "account": facts.account_id, "invoice": facts.invoice_id,
            "person": step.person_id, "address": step.address_id, "key": step.key, "rung": step.rung,
            "channel": step.channel.value, "template": step.template, "amount": step.amount_minor, "currency": facts.currency,
            "late": step.late_days, **local_columns(step.at, facts.zone),
        },
    )  # fmt: skip


def _apply(session: Session, facts: InvoiceFacts, step: Step, step_id: int, now: datetime) -> None:
    """What an immediate step does to the rows; `policies.forecast.after` is its twin for the facts."""

    def say(kind: str, **detail: object) -> None:
        tell(session, facts.invoice_id, at=now, kind=kind, detail={"step": step_id, **detail})

    if isinstance(step, Skip):
        say("rung_skipped", key=step.key, rung=step.rung)
        if CONSENT_RULES.intersection(step.rules):
            open_task(
                session, creditor_id=facts.creditor_id, account_id=facts.account_id, invoice_id=facts.invoice_id,
                kind="get_consent", key=facts.account_id, due_at=now + timedelta(days=5), now=now,
                why="the law of the customer's place wants the customer's consent to a channel before anything is sent by it",
            )  # fmt: skip
        if "reach.silent" in step.rules:
            key = f"{facts.account_id}:{facts.cycle}"
            _task(session, facts, "refresh_data", key, step.why, now + timedelta(days=5), now)
    elif isinstance(step, Judge):
        _judge(session, facts, step, step_id, now)
    elif isinstance(step, Ask):
        _task(session, facts, step.task, step.key, step.why, step.due_at, now)
        say("task_opened", task=step.task, due_at=step.due_at.isoformat())
    elif isinstance(step, HandOff):
        placement_id = handoff.propose(
            session, facts, recommend=step.recommend, figures=step.figures, decide_by=step.decide_by, now=now
        )
        _task(session, facts, "approve_placement", placement_id, step.why, step.decide_by, now)
        say("placement_proposed", recommend=step.recommend, decide_by=step.decide_by.isoformat(), **step.figures)
    elif isinstance(step, Place):
        handoff.place(session, facts, return_by=step.return_by, now=now)
        say("placed", return_by=step.return_by.isoformat())
    elif isinstance(step, Recall):
        handoff.recall(session, facts, now=now)
        say("placement_recalled")


def _judge(session: Session, facts: InvoiceFacts, step: Judge, step_id: int, now: datetime) -> None:
    changed = session.execute(
        text(
            "update agreement set state = :verdict, judged_at = :now, paid_minor = :paid where id = :id and state = 'open'"
            " returning kind, waived_minor"
        ),
        {"verdict": step.verdict, "now": now, "paid": step.paid_minor, "id": step.agreement_id},
    ).one_or_none()
    if changed is None:
        return
    detail = {
        "step": step_id,
        "agreement": step.agreement_id,
        "paid_minor": step.paid_minor,
        "promised_minor": step.promised_minor,
    }
    tell(session, facts.invoice_id, at=now, kind=f"{changed.kind}_{step.verdict}", detail=detail)
    if step.verdict != "kept":
        session.execute(
            text("update invoice set cycle = cycle + 1, cycle_started_at = :now, cycle_notice = 'missed_promise' where id = :id"),
            {"now": now, "id": facts.invoice_id},
        )
    elif changed.kind == "discount" and changed.waived_minor:
        _waive(session, facts, changed.waived_minor, step.agreement_id, now)


def _waive(session: Session, facts: InvoiceFacts, waived_minor: int, agreement_id: str, now: datetime) -> None:
    """A kept discount forgives the rest, oldest instalment first."""
    rest = waived_minor
    day = now.astimezone(ZoneInfo(facts.creditor_zone)).date()
    for instalment in facts.instalments:
        part = min(rest, max(instalment.balance_minor, 0))
        if part <= 0:
            continue
        rest -= part
        session.execute(
            text(
                "insert into entry (creditor_id, account_id, invoice_id, instalment, kind, amount_minor, currency, dated_on,"
                " recorded_at, cause) values (:c, :a, :i, :n, 'discount', :m, :y, :d, :now, :g)"
            ),
            {
                "c": facts.creditor_id,
                "a": facts.account_id,
                "i": facts.invoice_id,
                "n": instalment.number,
                "m": -part,
                "y": facts.currency,
                "d": day,
                "now": now,
                "g": f"agreement {agreement_id}",
            },
        )
    session.execute(
        text("update invoice set balance_minor = balance_minor - :m where id = :i"),
        {"m": waived_minor - rest, "i": facts.invoice_id},
    )
    deductions.settle(session, UUID(facts.invoice_id), now=now)


def _task(session: Session, facts: InvoiceFacts, kind: str, key: str, why: str, due_at: datetime, now: datetime) -> None:
    open_task(
        session, creditor_id=facts.creditor_id, invoice_id=facts.invoice_id, account_id=facts.account_id, kind=kind, key=key,
        why=why, due_at=due_at, now=now,
    )  # fmt: skip
