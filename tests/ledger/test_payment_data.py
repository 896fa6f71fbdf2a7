"""Sources of payments, receipts that may be for open items, papers, cessions, replies and avoidable chases, by the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger import avoidable, cessions, feeds, instruments, replies, steps, unapplied
from ledger.facts import gather
from ledger.payments import apply_payment, record_payment
from ledger.refusals import Refused
from policies.steps import Contact, Wait
from tests.cast import NOW, Creditor, accepted_invoice, account_of, creditor_brill
from tests.conftest import Database
from tests.ledger.money import pay, rings, take

OWED = 25_000_000
LATE = NOW + timedelta(days=17)
"""Thursday 19 March 2026, 10:00 in Bogota: three days after the due date, when S2 of the cast's manual is due."""


class Stage(NamedTuple):
    """An open invoice of 250,000.00 COP due on Monday 16 March, and a session as the worker."""

    database: Database
    creditor: Creditor
    invoice: UUID
    session: Session

    def one(self, query: str, **values: Any) -> Any:
        return self.session.execute(text(query), values).one()

    def all(self, query: str, **values: Any) -> list[Any]:
        return [tuple(row) for row in self.session.execute(text(query), values)]

    def decide(self, now: datetime, invoice: UUID | None = None) -> Contact | Wait | Any:
        facts, manual = gather(self.session, invoice or self.invoice, now)
        return steps.decide(self.session, facts, manual, now)[1]


@pytest.fixture
def stage(database: Database) -> Iterator[Stage]:
    creditor = creditor_brill(database.worker)
    invoice = accepted_invoice(database.worker, creditor)
    with Session(database.worker) as session:
        yield Stage(database, creditor, invoice, session)


def refused(code: str) -> pytest.RaisesExc[Refused]:
    return pytest.raises(Refused, check=lambda error: error.code == code)


# Sources


def _declare(stage: Stage, now: datetime = NOW, kind: Any = "bank", name: str = "bank") -> None:
    feeds.declare(stage.session, stage.creditor.id, name=name, kind=kind, fresh_minutes=60, expected_by="10:00", now=now)


def test_a_source_is_declared_once_tells_forwards_only_and_rings_what_waits(stage: Stage) -> None:
    _declare(stage)
    _declare(stage)
    assert gather(stage.session, stage.invoice, NOW)[0].feeds[0].complete_to == date(2026, 3, 1)
    held = stage.decide(LATE)
    assert isinstance(held, Wait) and "feed.late" in held.rules
    assert stage.one("select held_why from invoice").held_why == held.why, "the console says why"
    told = feeds.told(stage.session, stage.creditor.id, "bank", now=LATE, complete_to=date(2026, 3, 18), actor="key")
    assert (told.rung, rings(stage.session, stage.invoice)[-1]) == (1, ("payment_data_told", "bank"))
    assert isinstance(stage.decide(LATE), Contact)
    again = feeds.told(stage.session, stage.creditor.id, "bank", now=LATE, complete_to=date(2026, 3, 10), actor="key")
    assert again.feed.complete_to == date(2026, 3, 18) and again.rung == 0


def test_operations_are_told_once_and_the_task_ends_when_it_caught_up(stage: Stage) -> None:
    _declare(stage)
    for hours in (0, 1, 30):
        stage.decide(LATE + timedelta(hours=hours))
        feeds.watch(stage.session, now=LATE + timedelta(hours=hours))
    assert stage.all("select kind, done_at is null from task where kind = 'late_feed'") == [("late_feed", True)]
    feeds.told(stage.session, stage.creditor.id, "bank", now=LATE, complete_to=date(2026, 3, 18), actor="key")
    assert stage.all("select outcome from task where kind = 'late_feed'") == [("caught up",)]


def test_what_a_source_may_not_say_is_refused(stage: Stage) -> None:
    _declare(stage)
    _declare(stage, kind="gateway", name="stripe")
    with refused("source-kind"):
        _declare(stage, kind="gateway")
    with refused("no-source"):
        feeds.told(stage.session, stage.creditor.id, "bnak", now=NOW, complete_to=date(2026, 3, 1), actor="key")
    with refused("complete-to"):
        feeds.told(stage.session, stage.creditor.id, "bank", now=NOW, complete_to=date(2026, 3, 5), actor="key")
    with refused("complete-to"):
        feeds.told(stage.session, stage.creditor.id, "stripe", now=NOW, complete_to=date(2026, 3, 1), actor="key")


def test_a_gateway_counts_as_seen_and_a_source_that_is_withdrawn_holds_nothing(stage: Stage) -> None:
    _declare(stage, kind="gateway", name="stripe")
    assert isinstance(stage.decide(LATE), Wait)
    feeds.seen(stage.session, stage.creditor.id, ("stripe",), now=LATE)
    assert isinstance(stage.decide(LATE), Contact)
    assert isinstance(stage.decide(LATE + timedelta(minutes=61)), Wait)
    assert feeds.withdraw(stage.session, stage.creditor.id, "stripe", now=LATE, actor="key") == 1
    assert isinstance(stage.decide(LATE + timedelta(minutes=62)), Contact)


# Receipts that lie on no invoice


def _items(stage: Stage, *sums: int, account: str = "C-1001") -> list[UUID]:
    return [
        accepted_invoice(
            stage.database.worker, stage.creditor, f"{account}-{at}", amount_minor=amount,
            account={"ref": account, "kind": "consumer", "country": "CO", "zone": "America/Bogota"},
        )
        for at, amount in enumerate(sums, 1)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("amount", "held"),
    [
        (7, {1}),  # one item
        (5 + 7, {0, 1}),  # the two oldest, also any two
        (5 + 11, {0, 2}),  # any two
        (5 + 7 + 11, {0, 1, 2}),  # all of one payer
        (6, set()),
        (5 + 70, set()),  # of two payers
    ],
)
def test_a_receipt_holds_the_items_that_it_equals(stage: Stage, amount: int, held: set[int]) -> None:
    items = _items(stage, 5, 7, 11, account="C-9")
    _items(stage, 70, account="C-8")
    done = pay(stage.session, stage.creditor.id, "p1", amount, None, now=LATE)
    assert done.verdict == "unmatched"
    found = {row[0] for row in stage.all("select invoice_id from hold where kind = 'unapplied' and released_at is null")}
    assert found == {items[at] for at in held}
    why = stage.one("select why from task where kind = 'match_payment'").why
    assert ("held meanwhile" in why) is bool(held)


def test_the_hold_lasts_three_working_days_and_ends_when_the_receipt_finds_its_place(stage: Stage) -> None:
    first, second = _items(stage, 5, 5, account="C-9")
    done = pay(stage.session, stage.creditor.id, "p1", 5, None, now=LATE)
    until = stage.one("select until from hold where invoice_id = :i", i=first).until
    # Thursday 19, then Friday 20, Tuesday 24 (the 23rd is a holiday) and Wednesday 25
    assert until == datetime(2026, 3, 26, 5, 0, tzinfo=UTC)
    assert isinstance(held := stage.decide(LATE, first), Wait) and held.rules == ("hold.unapplied",)
    apply_payment(stage.session, stage.creditor.id, done.payment_id, second, now=LATE, actor="key")
    assert stage.all("select count(*) from hold where released_at is null") == [(0,)]
    assert rings(stage.session, first)[-1][0] == "unapplied_released"


def test_of_a_known_payer_every_combination_is_tried(stage: Stage) -> None:
    items = _items(stage, 5, 7, 11, 17, account="C-9")
    pay(stage.session, stage.creditor.id, "p0", 5 + 11 + 17, None, now=LATE)
    assert stage.all("select count(*) from hold") == [(0,)], "of an unknown payer three of four are not guessed"
    stage.session.execute(text("update payment set account_id = (select account_id from invoice where id = :i)"), {"i": items[0]})
    payment = stage.one("select * from payment")
    held = unapplied.hold_what_it_may_be(stage.session, payment, now=LATE)
    assert set(held.invoices) == {items[0], items[2], items[3]}


def test_too_many_equal_items_say_nothing(stage: Stage) -> None:
    for at in range(unapplied.ITEMS_MAX + 1):
        _items(stage, 9, account=f"D-{at}")
    pay(stage.session, stage.creditor.id, "p1", 9, None, now=LATE)
    assert stage.all("select count(*) from hold") == [(0,)]
    assert "more than 20" in stage.one("select why from task").why


def test_a_receipt_that_went_back_holds_nothing(stage: Stage) -> None:
    _items(stage, 5, account="C-9")
    pay(stage.session, stage.creditor.id, "p1", 5, None, now=LATE)
    take(stage.session, stage.creditor.id, "r1", "p1", 5, now=LATE)
    assert stage.all("select count(*) from hold where released_at is null") == [(0,)]


def test_an_accounts_credit_is_among_the_facts_and_asks_a_person(stage: Stage) -> None:
    other = accepted_invoice(stage.database.worker, stage.creditor, "F-2", amount_minor=1_000)
    assert gather(stage.session, stage.invoice, NOW)[0].credit_minor == 0
    pay(stage.session, stage.creditor.id, "p1", OWED + 5_000, stage.invoice, now=LATE)
    facts = gather(stage.session, other, LATE)[0]
    assert (facts.credit_minor, facts.credit_since) == (5_000, LATE)
    assert isinstance(held := stage.decide(LATE, other), Wait) and "unapplied.credit" in held.rules
    stage.decide(LATE + timedelta(hours=1), other)
    assert stage.all("select kind from task where done_at is null") == [("apply_credit",)]


# Papers with a maturity


def _paper(stage: Stage, amount: int = OWED, **change: Any) -> instruments.Held:
    given: dict[str, Any] = {
        "kind": "post_dated_cheque", "ref": "ch-1", "amount_minor": amount, "matures_on": date(2026, 4, 10), "actor": "key",
        "now": LATE,
    } | change  # fmt: skip
    return instruments.hold_instrument(stage.session, stage.invoice, **given)


def test_a_post_dated_cheque_rests_the_debt_until_it_has_cleared(stage: Stage) -> None:
    held = _paper(stage)
    assert held.new and not _paper(stage).new
    # Friday 10 April and five working days
    assert held.until == datetime(2026, 4, 18, 5, 0, tzinfo=UTC)
    step = stage.decide(LATE)
    assert isinstance(step, Wait) and (step.at, step.rules) == (held.until, ("hold.instrument",))
    assert stage.all("select kind, due_at from task") == [("present_instrument", held.until)]
    with refused("instrument-differs"):
        _paper(stage, amount=5)


def test_a_paper_for_a_part_leaves_the_rest_to_be_asked(stage: Stage) -> None:
    _paper(stage, amount=OWED - 1_000)
    step = stage.decide(LATE)
    assert isinstance(step, Contact) and step.amount_minor == 1_000


@pytest.mark.parametrize("amount", [0, OWED + 1])
def test_a_paper_covers_no_more_than_is_owed(stage: Stage, amount: int) -> None:
    with refused("amount"):
        _paper(stage, amount=amount)


def test_a_paper_that_came_back_reopens_at_the_first_firm_rung_today(stage: Stage) -> None:
    firm = gather(stage.session, stage.invoice, NOW)[1]
    first_firm = next((r.rung for r in firm.ladder if r.firm and r.action == "contact"), None)
    held = _paper(stage)
    instruments.end_instrument(stage.session, stage.invoice, held.id, how="returned", actor="key", now=LATE)
    instruments.end_instrument(stage.session, stage.invoice, held.id, how="returned", actor="key", now=LATE)
    row = stage.one("select cycle, cycle_notice, shift_days from invoice")
    assert (row.cycle, row.cycle_notice) == (2, "instrument_returned")
    step = stage.decide(LATE)
    assert isinstance(step, Contact) and step.rung == first_firm and step.firm and step.at.date() >= LATE.date()
    with refused("instrument-ended"):
        instruments.end_instrument(stage.session, stage.invoice, held.id, how="cleared", actor="key", now=LATE)


def test_a_bank_cost_is_added_to_a_businesss_debt_only(stage: Stage) -> None:
    held = _paper(stage)
    with refused("bank-cost"):
        instruments.end_instrument(
            stage.session, stage.invoice, held.id, how="returned", bank_cost_minor=500, actor="key", now=LATE
        )
    stage.session.execute(text("update account set kind = 'business'"))
    instruments.end_instrument(stage.session, stage.invoice, held.id, how="returned", bank_cost_minor=500, actor="key", now=LATE)
    assert stage.one("select balance_minor from invoice").balance_minor == OWED + 500
    assert stage.all("select kind, amount_minor from entry where kind = 'fee'") == [("fee", 500)]


# Ceded debts


def test_a_ceded_debt_rests_and_what_is_paid_to_us_is_forwarded(stage: Stage) -> None:
    review = LATE + timedelta(days=90)
    made = [
        cessions.cede(
            stage.session, stage.invoice, assignee_ref="factor-3", ceded_on=LATE.date(), notified_on=None, review_at=review,
            actor="key", now=LATE,
        )
        for _ in range(2)
    ]  # fmt: skip
    assert made[0] == made[1]
    step = stage.decide(LATE)
    assert isinstance(step, Wait) and (step.at, step.rules) == (review, ("hold.ceded",))
    pay(stage.session, stage.creditor.id, "p1", 1_000, stage.invoice, now=LATE)
    assert ("forward_payment",) in stage.all("select kind from task where done_at is null")
    cessions.end_cession(stage.session, stage.invoice, how="recourse", actor="key", now=LATE)
    assert isinstance(stage.decide(LATE), Contact)
    with refused("not-ceded"):
        cessions.end_cession(stage.session, stage.invoice, how="recourse", actor="key", now=LATE)


# Replies


def test_a_reply_holds_every_open_invoice_until_it_is_answered(stage: Stage) -> None:
    other = accepted_invoice(stage.database.worker, stage.creditor, "F-2")
    account = account_of(stage.database.worker, stage.invoice)
    assert [replies.hold_until_answered(stage.session, account, reply="r1", now=LATE) for _ in range(2)] == [2, 0]
    held = stage.decide(LATE, other)
    # five working days from Thursday 19: Friday 20, Tuesday 24 to Friday 27
    assert isinstance(held, Wait) and (held.at, held.rules) == (datetime(2026, 3, 28, 5, 0, tzinfo=UTC), ("hold.reply",))
    assert replies.answered(stage.session, stage.creditor.id, "r1", actor="key", outcome="answered", now=LATE) == 2
    assert isinstance(stage.decide(LATE, other), Contact)


# Avoidable chases


def _contacted(stage: Stage, at: datetime) -> None:
    stage.session.execute(
        text(
            "insert into contact (id, creditor_id, account_id, invoice_id, person_id, address_id, key, attempt, rung, channel,"
            " template, state, amount_minor, currency, at_utc, zone, at_local, local_date, utc_offset_min)"
            " select gen_random_uuid(), i.creditor_id, i.account_id, i.id, p.id, a.id, '1.1.S2.0', 1, 'S2', 'email', 'pre_due',"
            " 'delivered', 1, 'COP', :at, 'America/Bogota', :local, :day, -300 from invoice i join person p"
            " on p.account_id = i.account_id join address a on a.person_id = p.id where i.id = :i limit 1"
        ),
        {"at": at, "local": at.replace(tzinfo=None), "day": at.date(), "i": stage.invoice},
    )


@pytest.mark.parametrize(
    ("value_on", "recorded", "avoidable_chases"),
    [
        (date(2026, 3, 18), LATE + timedelta(days=1), 1),  # the bank had it the day before, we heard the day after
        (date(2026, 3, 19), LATE + timedelta(days=1), 0),  # it came on the day we wrote
        (date(2026, 3, 18), LATE - timedelta(hours=1), 0),  # we knew: what we wrote about was the rest
    ],
)
def test_a_contact_after_the_banks_date_is_counted(
    stage: Stage, value_on: date, recorded: datetime, avoidable_chases: int
) -> None:
    _contacted(stage, LATE)
    record_payment(
        stage.session, stage.creditor.id, source="standard", source_ref="p1", amount_minor=1_000, currency="COP",
        paid_on=value_on, value_on=value_on, now=recorded, invoice_id=stage.invoice,
    )  # fmt: skip
    found = avoidable.conduct(stage.session, stage.creditor.id, since=date(2026, 3, 1), until=date(2026, 3, 31))
    assert (found.contacts, len(found.avoidable)) == (1, avoidable_chases)
