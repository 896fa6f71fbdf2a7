"""What a gateway was told to have been taken: applied once by whoever comes first, before anybody is written to (I3, I5)."""

from __future__ import annotations

import json
import threading
from datetime import date
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from activities import arrived
from ledger import agreements, contacts, inbox
from ledger.creditors import create_webhook_endpoint, hash_token
from ledger.facts import gather
from ledger.refusals import Refused
from ledger.session import lock_debtor
from ledger.steps import decide
from policies import negotiation
from policies.steps import Contact
from tests import cast
from tests.activities.house import House
from tests.activities.test_collector import due
from tests.cast import account_of

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def stored(house: House, event_id: str = "evt_1", kind: str = "payment.succeeded", **data: Any) -> tuple[UUID, int]:
    """An event that was acknowledged, and that nobody has applied; a payment in full unless `data` says otherwise."""
    now = house.tools.clock.now()
    with Session(house.worker) as session, session.begin():
        token = create_webhook_endpoint(session, cast.sealer(), house.creditor.id, "standard", SECRET, now)
    given = {
        "id": event_id,
        "amount_minor": 25_000_000,
        "currency": "COP",
        "invoice": "F-1001",
        "paid_on": str(now.date()),
    }
    body = json.dumps({"type": kind, "data": given | data}).encode()
    address = inbox.address(house.worker, hash_token(token))
    assert address is not None
    kept = inbox.keep(
        house.worker, cast.sealer(), hash_token(token), address.secret_sealed, event_id, body, now=now,
        references=str((given | data)["invoice"]).split(),
    )  # fmt: skip
    assert kept is not None and kept.row is not None
    return kept.creditor_id, kept.row


def test_who_has_paid_by_a_gateway_that_was_answered_is_not_written_to_although_nobody_applied_it_yet(house: House) -> None:
    invoice = due(house)
    stored(house)
    assert house.contact(invoice).kind == "close"
    assert house.received() == 0 and house.contacts(invoice) == []


def test_a_part_that_was_answered_is_taken_off_what_is_asked(house: House) -> None:
    invoice = due(house)
    stored(house, amount_minor=7_000_000)
    house.contact(invoice)
    assert "180.000" in house.outside.world.sent[-1].text


def test_an_event_between_the_claim_and_the_call_voids_the_claim(house: House) -> None:
    invoice, now = due(house), house.tools.clock.now()
    with Session(house.worker) as session, session.begin():
        lock_debtor(session, account_of(house.worker, invoice))
        facts, manual = gather(session, invoice, now)
        facts, step, step_id = decide(session, facts, manual, now, contacting=True)
        assert isinstance(step, Contact)
        claimed = contacts.claim(session, facts, step, step_id, provider="t", now=now)
    stored(house)
    with Session(house.worker) as session, session.begin():
        assert not contacts.start_call(session, claimed.id, text_version="v", now=now)


def test_an_event_of_another_creditor_holds_nobody_up(house: House) -> None:
    invoice = due(house)
    other = cast.creditor_brill(house.worker, slug="other").id
    with Session(house.worker) as session, session.begin():
        inbox.store(session, cast.sealer(), other, "standard", "evt_1", b"not readable", now=house.tools.clock.now())
    house.contact(invoice)
    assert house.received() == 1


def _poison(house: House, **data: Any) -> int:
    """An event that was acknowledged, and of which no try is due soon."""
    _, row = stored(house, "evt_bad", **data)
    with Session(house.worker) as session, session.begin():
        session.execute(
            text("update inbox set tries = 3, try_at = clock_timestamp() + interval '1 hour' where id = :i"), {"i": row}
        )
    return row


def test_an_event_about_another_customer_holds_nobody_up(house: House) -> None:
    invoice, luis = due(house), cast.debtor_luis()
    house.owes("L-1", account=luis, now=house.tools.clock.now())
    _poison(house, invoice="L-1")
    house.contact(invoice)
    assert house.received() == 1


@pytest.mark.parametrize("named", ["F-9999", "", "F-1001 L-1"])
def test_an_event_that_may_be_about_anybody_holds_everybody_back(house: House, named: str) -> None:
    invoice = due(house)
    house.owes("L-1", account=cast.debtor_luis(), now=house.tools.clock.now())
    _poison(house, invoice=named)
    with pytest.raises(Exception, match="cannot be applied yet"):
        house.contact(invoice)


def test_an_event_about_who_has_the_same_payer_holds_back(house: House) -> None:
    invoice = due(house)
    house.owes("L-1", account=cast.debtor_luis(), now=house.tools.clock.now())
    with Session(house.worker) as session, session.begin():
        session.execute(text("update account a set payer_id = b.id from account b where a.ref = 'B-2001' and b.ref = 'C-1001'"))
    _poison(house, invoice="L-1")
    with pytest.raises(Exception, match="cannot be applied yet"):
        house.contact(invoice)


def test_an_event_that_names_our_own_id_is_about_that_customer(house: House) -> None:
    invoice = due(house)
    stored(house, invoice=str(invoice))
    assert house.rows("select account_id from inbox")[0].account_id == account_of(house.worker, invoice)


def test_what_only_looks_like_an_id_names_no_invoice(house: House) -> None:
    invoice = due(house)
    creditor, row = stored(house, invoice=f"urn:uuid:{invoice}")
    assert arrived.apply_event(house.worker, cast.sealer(), creditor, row) == "unmatched"


def test_no_promise_is_judged_without_the_money_that_was_acknowledged(house: House) -> None:
    invoice = due(house)
    with Session(house.worker) as session, session.begin():
        wish = negotiation.Promise(on=date(2026, 3, 20))
        agreements.ask(session, str(invoice), wish, source="portal", actor="customer", now=house.tools.clock.now())
    house.plan(invoice)
    house.at("2026-03-20 17:00")
    stored(house)
    house.at("2026-03-24 00:00")
    assert house.plan(invoice).kind == "close"
    assert house.rows("select state from agreement")[0].state == "kept"


def test_a_plan_goes_on_while_an_event_cannot_be_applied(house: House) -> None:
    invoice = due(house)
    _poison(house)
    assert house.plan(invoice).kind == "contact"


def test_many_at_once_apply_an_event_once(house: House) -> None:
    due(house)
    creditor, row = stored(house, amount_minor=1_000_000)
    results: list[str] = []
    threads = [
        threading.Thread(target=lambda: results.append(arrived.apply_event(house.worker, cast.sealer(), creditor, row)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [""] * 7 + ["applied"]
    assert house.rows("select balance_minor from invoice")[0].balance_minor == 24_000_000


def test_what_was_left_is_applied_in_its_order_with_the_moment_at_which_it_came(house: House) -> None:
    due(house)
    came = house.tools.clock.now()
    for number in range(3):
        stored(house, f"evt_{number}", amount_minor=1_000_000)
    house.at("2026-03-20 09:00")
    assert arrived.apply_waiting(house.worker, cast.sealer()) == 3
    assert [row.recorded_at for row in house.rows("select recorded_at from payment order by recorded_at, id")] == [came] * 3
    assert arrived.apply_waiting(house.worker, cast.sealer()) == 0


def test_money_that_came_is_not_on_its_way_when_its_events_changed_places_unless_it_went_back(house: House) -> None:
    invoice = due(house)
    for event_id, kind, more in (
        ("e1", "payment.succeeded", {"amount_minor": 1_000_000}),
        ("e2", "payment.processing", {}),
        ("e3", "payment.reversed", {"id": "r1", "reverses": "p1", "amount_minor": 1_000_000}),
        ("e4", "payment.processing", {}),
    ):
        stored(house, event_id, kind, **({"id": "p1"} | more))
        arrived.apply_waiting(house.worker, cast.sealer())
        held = house.rows("select count(*) as held from hold where invoice_id = :i", i=invoice)[0].held
        assert held == (event_id == "e4"), event_id


def test_an_event_that_cannot_be_applied_is_tried_again_then_given_to_a_person_and_holds_up_nobody_else(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoice = due(house)
    creditor, poisoned = stored(house, "evt_bad")
    stored(house, "evt_good", amount_minor=1_000_000)
    read, apply = arrived._KINDS["standard"]

    def fail_one(come: Any, event: Any) -> str:
        if event.data.id == "evt_bad":
            raise ZeroDivisionError
        return apply(come, event)

    monkeypatch.setitem(arrived._KINDS, "standard", (read, fail_one))
    assert arrived.apply_waiting(house.worker, cast.sealer()) == 1
    [waits] = house.rows("select tries, result, try_at > clock_timestamp() as later from inbox where id = :id", id=poisoned)
    assert (waits.tries, waits.result, waits.later) == (1, None, True)
    with pytest.raises(Exception, match="cannot be applied yet"):
        house.contact(invoice)  # somebody may have paid: for these minutes nobody is written to
    for _ in range(inbox.TRIES - 1):
        arrived.apply_event(house.worker, cast.sealer(), creditor, poisoned)
    assert house.rows("select result from inbox where id = :id", id=poisoned)[0].result == "failed: ZeroDivisionError"
    [task] = house.rows("select kind, why from task where done_at is null")
    assert task.kind == "read_event" and str(poisoned) in task.why
    house.contact(invoice)
    assert house.received() == 1


def test_an_event_that_is_refused_says_why(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    due(house)
    creditor, row = stored(house, currency="COP")
    with Session(house.worker) as session, session.begin():
        session.execute(text("update inbox set tries = :n"), {"n": inbox.TRIES - 1})

    def refuse(come: Any, event: Any) -> str:
        raise Refused("amount", "the amount is 0")

    monkeypatch.setitem(arrived._KINDS, "standard", (arrived._KINDS["standard"][0], refuse))
    assert arrived.apply_event(house.worker, cast.sealer(), creditor, row) == "failed: refused, amount"
