"""Each row of playbook 3 in virtual time, over the wire: the fact comes before the first overdue rung, and later its end.

All rows are customers of one creditor in one play. Each invoice is due on Monday 16 March; the overdue rungs S2 and S3 (firm)
fall on the 19th and the 26th. Facts come on the 17th, their ends on the 27th; what went out between is what the row says.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from ledger.own_promises import keep_own_promise, promise_to_customer
from ledger.owner_holds import hold_by_owner
from tests import cast
from tests.journeys.stage import Stage

OWED = 25_000_000
FACTS = datetime(2026, 3, 17, 15, 0, tzinfo=UTC)
ENDS = datetime(2026, 3, 27, 13, 0, tzinfo=UTC)
LAST = datetime(2026, 4, 20, 15, 0, tzinfo=UTC)


@dataclass
class Row:
    """A customer of one row: what is done on the 17th and on the 27th, and the rungs that go out before and after the latter."""

    name: str
    begins: Callable[[Stage, Row], Awaitable[Any]]
    ends: Callable[[Stage, Row], Awaitable[Any]] | None = None
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ("S3",)
    outcome: str = ""
    rule: str = ""
    change: dict[str, Any] = field(default_factory=dict)
    id: UUID = field(default_factory=lambda: UUID(int=0))
    found: Any = None

    @property
    def account(self) -> str:
        return f"C-{self.name}"

    @property
    def number(self) -> str:
        return f"F-{self.name}"


async def _call(stage: Stage, path: str, body: dict[str, Any] | None = None) -> Any:
    answer = await stage.api.post(f"/v1{path}", json=body, headers=stage.as_creditor())
    assert answer.status_code in (200, 201), (path, answer.text)
    return answer.json()


def _invoice(path: str, body: dict[str, Any] | None = None) -> Callable[[Stage, Row], Awaitable[Any]]:
    async def call(stage: Stage, row: Row) -> None:
        row.found = await _call(stage, f"/invoices/{row.id}/{path}", body)

    return call


def _stop(reason: str, **more: Any) -> Callable[[Stage, Row], Awaitable[Any]]:
    async def call(stage: Stage, row: Row) -> None:
        body = {"reason": reason, "evidence": "file 1", "until": "2026-06-01T09:00:00-05:00"} | more
        row.found = await _call(stage, f"/accounts/{row.account}/suppressions", body)

    return call


async def _lift(stage: Stage, row: Row) -> None:
    await _call(stage, f"/suppressions/{row.found['id']}/lift")


def _pays(ref: str, amount: int = OWED, **more: Any) -> Callable[[Stage, Row], Awaitable[Any]]:
    async def call(stage: Stage, row: Row) -> None:
        assert (await stage.pays(ref, amount, number=row.number, **more)).status_code == 200

    return call


async def _unplaced(stage: Stage, row: Row) -> None:
    data = {"id": "p-unplaced", "amount_minor": row.change["amount_minor"], "currency": "COP", "paid_on": "2026-03-17"}
    answer = await stage.told({"type": "payment.succeeded", "data": data}, "evt-unplaced")
    assert answer.json()["result"] == "unmatched"


async def _promise_ours(stage: Stage, row: Row) -> None:
    with Session(stage.database.worker) as session, session.begin():
        row.found = promise_to_customer(
            session, row.id, kind="send_copy", due_on=date(2026, 3, 20), actor="staff:eva", now=stage.now
        )


async def _keep_ours(stage: Stage, row: Row) -> None:
    with Session(stage.database.worker) as session, session.begin():
        assert keep_own_promise(session, row.found, actor="staff:eva", now=stage.now)


async def _owner(stage: Stage, row: Row) -> None:
    with Session(stage.database.worker) as session, session.begin():
        hold_by_owner(session, row.id, working_days=5, reason="sales_talk", actor="staff:eva", now=stage.now)


async def _returned(stage: Stage, row: Row) -> None:
    await _call(stage, f"/invoices/{row.id}/instruments/{row.found['id']}/end", {"how": "returned"})


CHEQUE = {"ref": "ch-1", "kind": "post_dated_cheque", "amount_minor": OWED, "matures_on": "2026-05-15"}
CEDED = {"assignee_ref": "factor-3", "ceded_on": "2026-03-17", "review_at": "2026-06-20T09:00:00-05:00"}
RETENTION = {
    "kind": "retefuente", "rate": "2.5", "base_minor": 20_000_000, "amount_minor": 500_000, "certificate_required": True,
}  # fmt: skip
OLD = {"opened_on": "2026-03-10"}


def rows() -> list[Row]:
    """Every row, one customer each; `control` has nothing and gets both rungs."""
    return [
        Row("control", _invoice("resume", {}), before=("S2", "S3"), after=()),
        Row("settled", _pays("p-1"), _pays("r-1", type="payment.reversed", reverses="p-1", reason="chargeback"),
            after=("S1", "S2", "S3"), rule="close.paid"),
        Row("in-process", _invoice("payments-in-process", {"ref": "m-1", "method": "cheque"}), before=("S3",), after=(),
            rule="hold.payment_in_process"),
        Row("unapplied", _unplaced, before=("S2", "S3"), after=(), rule="hold.unapplied", change={"amount_minor": 7_700_700}),
        Row("assumed", _invoice("resume", {}), _invoice("due-date/confirm", {}), before=("S2",),
            rule="due.assumed", change={"due_on": None, "issued_on": "2026-02-14"}),
        Row("not-delivered", _invoice("resume", {}),
            _invoice("delivery", {"kind": "waived", "on": "2026-03-27", "reason": "handed over in person"}),
            before=("delivery_check",), after=("S2", "S3"), rule="delivery.missing",
            change={"manual_patch": {"delivery": "required"}}),
        Row("dispute", _invoice("dispute", {"reason": "wrong_amount"}), _invoice("dispute/close", {"outcome": "for_creditor"}),
            rule="hold.dispute"),
        Row("certificate", _pays("p-2", OWED - 500_000), _invoice("deductions/1/certificate", {"received_on": "2026-03-27"}),
            after=(), outcome="paid", rule="deduction.certificate", change={"deductions": [RETENTION]}),
        Row("instrument", _invoice("instruments", CHEQUE), _returned, rule="hold.instrument"),
        Row("ceded", _invoice("cession", CEDED), _invoice("cession/end", {"how": "recourse"}), rule="hold.ceded"),
        Row("own-promise", _promise_ours, _keep_ours, before=("S2",), rule="own_promise.overdue"),
        Row("scheduled", _invoice("promise", {"on": "2026-03-26"}), before=("agreement_reminder",), after=("S3",),
            rule="agreement.promise"),
        Row("insolvency", _stop("insolvency", **OLD), _lift, rule="suppression.insolvency"),
        Row("vulnerable", _stop("vulnerable"), _lift, rule="suppression.vulnerable"),
        Row("deceased", _stop("deceased"), _lift, rule="suppression.deceased"),
        Row("complaint", _stop("complaint"), _lift, rule="suppression.complaint"),
        Row("court", _stop("court"), _lift, rule="suppression.court"),
        Row("owner", _owner, before=("S3",), after=(), rule="hold.owner"),
    ]  # fmt: skip


async def test_each_row_holds_what_it_holds_and_has_its_end(stage: Stage) -> None:
    book = rows()
    for at, row in enumerate(book):
        account = cast.debtor_ana(ref=row.account)
        account["contacts"][0]["channels"] = [
            {"channel": "email", "address": f"row{at}@correo.example.com", "consent": "given", "verified": True}
        ]
        row.id = await stage.post(row.number, account=account, **row.change)
    await stage.play(until=FACTS)
    for row in book:
        await row.begins(stage, row)
    await stage.play(until=ENDS)
    for row in book:
        if row.ends is not None:
            await row.ends(stage, row)
    await stage.play(until=LAST)
    wrong: dict[str, Any] = {}
    for row in book:
        sent = _sent(stage, row.id)
        seen = (tuple(r for r, at in sent if FACTS <= at < ENDS), tuple(r for r, at in sent if at >= ENDS))
        if seen != (row.before, row.after) or (row.outcome and _outcome(stage, row.id) != row.outcome):
            wrong[row.name] = (seen, _outcome(stage, row.id))
        if row.rule and row.rule not in _rules(stage, row.id):
            wrong[f"{row.name} never met {row.rule}"] = sorted(_rules(stage, row.id))
    assert wrong == {}, "\n".join(f"{name}: {what}" for name, what in wrong.items())
    assert stage.rows("select count(*) as n from hold where until is null")[0].n == 0


async def test_while_the_bank_file_is_late_nobody_overdue_is_written_to_and_no_promise_is_judged(stage: Stage) -> None:
    await _call(stage, "/payment-sources", {"name": "bank", "kind": "bank"})
    overdue = await stage.post("F-1")
    promised = await stage.post("F-2", account=cast.debtor_ana(ref="C-2", contacts=[]))
    later = await stage.post(
        "F-3", due_on="2026-03-25",
        account=cast.debtor_ana(ref="C-3", contacts=[{"role": "holder", "channels": [
            {"channel": "email", "address": "c3@correo.example.com", "consent": "given", "verified": True}]}]),
    )  # fmt: skip
    await stage.play(until=FACTS)
    await _call(stage, f"/invoices/{promised}/promise", {"on": "2026-03-18"})
    await stage.play(until=datetime(2026, 3, 25, 15, 0, tzinfo=UTC))
    assert [rung for rung, _ in _sent(stage, overdue)] == ["S1"] and "feed.late" in _rules(stage, overdue)
    assert [rung for rung, _ in _sent(stage, later)] == ["S1"], "before the due date it may go"
    assert "promise.bank_day" in _rules(stage, promised) and "promise_broken" not in stage.timeline(promised)
    assert len(stage.rows("select 1 from task where kind = 'late_feed'")) == 1, "operations are told once"
    # the file of the 18th brings the money of the 18th: the promise was kept after all
    await stage.pays("p-1", OWED, number="F-2", paid_on="2026-03-18")
    told = await _call(stage, "/payment-sources/bank/told", {"complete_to": "2026-03-24"})
    assert told["invoices_rung"] >= 1
    await stage.play(days=0.5)
    assert [rung for rung, _ in _sent(stage, overdue)] == ["S1", "S2"]
    assert "promise_kept" in stage.timeline(promised)
    conduct = (await stage.api.get(
        "/v1/reports/conduct", params={"since": "2026-03-01", "until": "2026-04-01"}, headers=stage.as_creditor()
    )).json()  # fmt: skip
    assert conduct["avoidable"] == [] and conduct["contacts"] >= 3


def _sent(stage: Stage, invoice: UUID) -> list[tuple[str, datetime]]:
    rows = stage.rows(
        "select rung, at_utc from contact where invoice_id = :i and state in ('accepted', 'delivered') order by at_utc", i=invoice
    )
    return [(row.rung, row.at_utc) for row in rows if row.rung not in ("certificate_request",)]


def _rules(stage: Stage, invoice: UUID) -> set[str]:
    return {rule for row in stage.rows("select distinct unnest(rules) as rule from step where invoice_id = :i", i=invoice)
            for rule in row}  # fmt: skip


def _outcome(stage: Stage, invoice: UUID) -> str | None:
    found: str | None = stage.rows("select outcome from invoice where id = :i", i=invoice)[0].outcome
    return found
