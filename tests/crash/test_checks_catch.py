"""Each check sees the breach it is there for: a healthy ledger passes all of them, and each planted bug is found by name."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy.orm import Session

from activities import collector
from embedded import Postgres
from ledger import contacts
from ledger.outbox import reconcile
from ledger.payments import record_payment, record_reversal
from ledger.receipts import opt_out
from ledger.session import Locked
from policies.manual import Manual, resolve
from tests import cast
from tests.activities.house import House, build_house
from tests.channels.outside import Simulator
from tests.conftest import Database
from tests.crash.checks import CHECKS, Outside, Told, findings

AMOUNT = 25_000_000
LIMITS: dict[str, Any] = {
    "windows": {day: ["09:00-19:00"] for day in ("mon", "tue", "wed", "thu", "fri")}, "holidays": False,
    "contacts": [{"max": 1, "days": 1}],
}  # fmt: skip
NO_LIMITS: dict[str, Any] = {
    "windows": {day: ["00:00-24:00"] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}, "holidays": False,
    "contacts": [],
}  # fmt: skip


@dataclass
class Scene:
    """A ledger with a past, and what the outside knows of it."""

    house: House
    outside: Outside
    manual: Manual
    postgres: Postgres
    name: str
    invoices: dict[str, UUID]

    def behind(self, sql: str) -> None:
        """Change the ledger behind everybody's back, as a superuser may."""
        self.postgres.query(sql, self.name)

    def look(self) -> dict[str, list[str]]:
        """Everybody outside says what they know; all checks."""
        self.behind("update outbox set done_at = clock_timestamp()")
        self.outside.received = [one.contact_id for one in self.house.outside.world.sent]
        return findings(self.house.worker, self.outside, self.manual)


def _pays(scene: Scene, number: str, amount: int, ref: str) -> None:
    now = scene.house.tools.clock.now()
    with Session(scene.house.worker) as session, session.begin():
        record_payment(
            session, scene.house.creditor.id, source="standard", source_ref=ref, amount_minor=amount, currency="COP",
            paid_on=now.date(), value_on=now.date(), now=now, invoice_id=scene.invoices[number],
        )  # fmt: skip
    scene.outside.told.append(Told(ref, "payment", amount))


def _goes_back(scene: Scene, ref: str, of: str, amount: int) -> None:
    now = scene.house.tools.clock.now()
    with Session(scene.house.worker) as session, session.begin():
        record_reversal(
            session, scene.house.creditor.id, source="standard", source_ref=ref, payment_ref=of, amount_minor=amount,
            currency="COP", reversed_on=now.date(), now=now,
        )  # fmt: skip
    scene.outside.told.append(Told(ref, "reversal", amount))


def _running(scene: Scene) -> None:
    rows = scene.house.rows("select number from invoice where outcome is null")
    scene.outside.running = [f"invoice:{scene.house.creditor.slug}:{row.number}" for row in rows]


def _set_scene(postgres: Postgres, database: Database, outside: Simulator, limits: dict[str, Any]) -> Scene:
    """Three invoices of three debtors: one waits, one is paid and partly reopened, one is reminded with an outcome unknown.

    A fourth debtor owes two, which are one message.
    """
    outside.world.sent.clear()
    outside.world.counts.clear()
    house = build_house(database.worker, outside, limits=limits)
    strict = resolve(cast.manual_brill(), {"limits": LIMITS}, None).manual
    scene = Scene(house, Outside(), strict, postgres, database.name, {})
    # The checks are held against the manual alone; a rehearsal's creditor has no law.
    scene.behind('update creditor set settings = settings || \'{"law": {"packs": "none"}}\'')
    for n, debtor in ((1, 1), (2, 2), (3, 3), (6, 6), (7, 6)):
        account = cast.debtor_ana(ref=f"C-{debtor}")
        by_mail, by_sms = account["contacts"][0]["channels"]
        by_mail["address"], by_sms["address"] = f"d{debtor}@example.com", f"+57300123450{debtor}"
        scene.invoices[f"F-{n}"] = house.owes(f"F-{n}", account=account)
        house.plan(scene.invoices[f"F-{n}"])
    house.at("2026-03-13 09:00")
    for invoice in scene.invoices.values():
        house.contact(invoice)
    _pays(scene, "F-2", AMOUNT, "p-2")
    house.plan(scene.invoices["F-2"])
    house.at("2026-03-16 12:00")
    _goes_back(scene, "r-2", "p-2", 10_000_000)
    _pays(scene, "F-3", 5_000_000, "p-3")
    house.plan(scene.invoices["F-2"])
    house.at("2026-03-19 09:00")
    house.contact(scene.invoices["F-1"])
    house.faults(drop_after_accept_pct=100)
    house.contact(scene.invoices["F-3"])
    house.faults()
    house.at("2026-03-23 10:00")
    for invoice in scene.invoices.values():
        house.contact(invoice)
        house.plan(invoice)
    with Session(house.worker) as session, session.begin():
        reconcile(session, now=house.tools.clock.now())
    scene.outside.answered = {number: str(invoice) for number, invoice in scene.invoices.items()}
    _running(scene)
    return scene


@pytest.fixture
def scene(postgres: Postgres, database: Database, outside: Simulator) -> Scene:
    return _set_scene(postgres, database, outside, LIMITS)


def test_a_healthy_ledger_passes_every_check(scene: Scene) -> None:
    assert scene.look() == {}
    states = {row.state for row in scene.house.rows("select state from contact")}
    assert states == {"accepted", "unknown"} and len(scene.outside.received) == 8


# -- the plants, by the check that must find them


def _a_second_row_for_an_invoice(scene: Scene) -> None:
    scene.behind("alter table invoice drop constraint invoice_creditor_id_number_key")
    columns = [str(row[0]) for row in scene.postgres.query(
        "select column_name from information_schema.columns where table_name = 'invoice' and column_name <> 'id'", scene.name
    )]  # fmt: skip
    names = ", ".join(columns)
    scene.behind(f"insert into invoice (id, {names}) select gen_random_uuid(), {names} from invoice where number = 'F-1'")


def _a_lost_acceptance(scene: Scene) -> None:
    scene.outside.answered["F-9"] = str(uuid4())


def _a_lost_workflow(scene: Scene) -> None:
    scene.outside.running.pop()


def _a_step_that_passed(scene: Scene) -> None:
    scene.behind("update invoice set next_at = next_at - interval '1 year' where outcome is null")


def _a_fact_nobody_saw(scene: Scene) -> None:
    scene.behind("update invoice set seen_revision = seen_revision - 1 where number = 'F-2'")


def _a_client_that_sends_again(scene: Scene) -> None:
    sent = scene.house.outside.world.sent
    sent.append(sent[0])


def _a_key_without_its_guard(scene: Scene) -> None:
    """Without the unique index, and with a ledger that forgets, the same rung goes out again."""
    scene.behind("drop index contact_once")
    scene.behind("update contact set state = 'failed', why_failed = 'again: forgotten' where rung = 'S2'")
    scene.behind("delete from step where kind = 'skip'")
    scene.house.contact(scene.invoices["F-1"])
    scene.behind("update contact set state = 'accepted' where state = 'failed'")


def _a_success_that_was_none(scene: Scene) -> None:
    scene.house.outside.world.sent.pop(0)


def _a_message_nobody_wrote_down(scene: Scene) -> None:
    scene.behind("update contact set state = 'failed', why_failed = 'again: refused' where rung = 'S1'")


def _a_rung_that_left_its_message(scene: Scene) -> None:
    scene.behind("update contact set state = 'delivered' where folded_into is not null")


def _a_message_sent_again_for_a_rung(scene: Scene) -> None:
    """A rung of a message is forgotten, so it goes out once more with a message of its own."""
    scene.behind("drop index contact_once")
    scene.behind("update contact set state = 'failed', why_failed = 'again: forgotten' where folded_into is not null")
    scene.behind("delete from step where kind = 'skip'")
    scene.house.at("2026-03-24 09:00")
    scene.house.contact(scene.invoices["F-7"])
    scene.behind("update contact set state = 'accepted' where state = 'failed'")


def _a_call_left_open(scene: Scene) -> None:
    scene.behind("update contact set state = 'calling' where state = 'unknown'")


def _an_unknown_nobody_is_told_of(scene: Scene) -> None:
    scene.behind("delete from task where kind = 'unknown_outcome'")


def _a_rung_without_a_trace(scene: Scene) -> None:
    scene.behind("delete from message_body where contact_id in (select id from contact where rung = 'S1')")
    scene.behind("delete from contact where rung = 'S1'")


def _another_sum(scene: Scene) -> None:
    scene.behind("update contact set amount_minor = amount_minor - 1 where rung = 'S2'")


def _a_claim_after_the_settlement(scene: Scene) -> None:
    """The decisions are written anew, so that their transactions commit last, F-2's after the payment that settled it."""
    scene.behind("update step set why = why where id in (select step_id from contact)")


def _a_clock_of_another_zone(scene: Scene) -> None:
    scene.behind("update contact set at_local = at_local + interval '1 hour'")


def _a_consent_that_is_ignored(scene: Scene) -> None:
    with Session(scene.house.worker) as session, session.begin():
        account = cast.account_of(scene.house.worker, scene.invoices["F-1"])
        ids = session.connection().exec_driver_sql("select a.id from address a join person p on p.id = a.person_id"
                                                   " where p.account_id = %s", (account,)).scalars()  # fmt: skip
        opt_out(session, account, list(ids), now=scene.house.tools.clock.now(), proof="said so")
    scene.behind("update address set consent = 'given'")
    scene.house.at("2026-03-26 09:00")
    scene.house.contact(scene.invoices["F-1"])


def _an_event_acknowledged_and_not_kept(scene: Scene) -> None:
    scene.outside.told.append(Told("p-9", "payment", 100, "evt-9"))


def _a_payment_applied_twice(scene: Scene) -> None:
    told = list(scene.outside.told)
    _pays(scene, "F-1", 5_000_000, "p-3-again")
    scene.outside.told = told


def _a_ring_that_was_dropped(scene: Scene) -> None:
    scene.behind("delete from outbox where signal = 'payment_received'")


def _money_that_vanished(scene: Scene) -> None:
    scene.behind("update payment set unallocated_minor = unallocated_minor + 1 where source_ref = 'p-3'")


def _a_part_that_nobody_declared(scene: Scene) -> None:
    scene.behind("update invoice set apart_minor = 5 where id = (select min(id::text)::uuid from invoice)")


def _a_balance_of_its_own(scene: Scene) -> None:
    scene.behind("update invoice set balance_minor = balance_minor - 1 where number = 'F-3'")


PLANTS: list[tuple[str, Callable[[Scene], None]]] = [
    ("I1 an accepted invoice exists", _a_second_row_for_an_invoice),
    ("I1 an accepted invoice exists", _a_lost_acceptance),
    ("I1 an open invoice has its workflow", _a_lost_workflow),
    ("I1 an open invoice has its workflow", _a_step_that_passed),
    ("I1 every fact was seen", _a_fact_nobody_saw),
    ("I2 no message was received twice", _a_client_that_sends_again),
    ("I2 no rung of an invoice was delivered twice", _a_key_without_its_guard),
    ("I2 no rung of an invoice was delivered twice", _a_message_sent_again_for_a_rung),
    ("I2 every rung of a message", _a_rung_that_left_its_message),
    ("I2 what the ledger says was sent", _a_success_that_was_none),
    ("I2 what the ledger says was sent", _a_message_nobody_wrote_down),
    ("I2 nothing is left half done", _a_call_left_open),
    ("I2 nothing is left half done", _an_unknown_nobody_is_told_of),
    ("I2 each rung before the latest", _a_rung_without_a_trace),
    ("I3 no claim commits", _another_sum),
    ("I3 no claim commits", _a_claim_after_the_settlement),
    ("I4 every contact falls into a window", _a_clock_of_another_zone),
    ("I4 nobody is contacted at an address after", _a_consent_that_is_ignored),
    ("I5 an acknowledged event is stored once", _an_event_acknowledged_and_not_kept),
    ("I5 what senders were told", _a_payment_applied_twice),
    ("I5 each fact rang", _a_ring_that_was_dropped),
    ("I6 what came in", _money_that_vanished),
    ("I6 the balance", _a_balance_of_its_own),
    ("I6 the balance", _a_part_that_nobody_declared),
]


@pytest.mark.parametrize(("check", "plant"), PLANTS, ids=[plant.__name__.strip("_") for _, plant in PLANTS])
def test_a_planted_bug_is_found(scene: Scene, check: str, plant: Callable[[Scene], None]) -> None:
    plant(scene)
    found = scene.look()
    assert [name for name in found if name.startswith(check)], found


def test_a_contact_outside_hours_and_one_too_many_are_found(postgres: Postgres, database: Database, outside: Simulator) -> None:
    scene = _set_scene(postgres, database, outside, NO_LIMITS)
    found = scene.look()
    assert found == {}, "by chance everything kept to the limits that were not set"
    apart = {"limits": {"fold": False}}
    scene.invoices |= {f"F-{n}": scene.house.owes(f"F-{n}", due_on="2026-03-25", manual_patch=apart) for n in (4, 5)}
    for number in ("F-4", "F-5"):
        scene.house.plan(scene.invoices[number])
    scene.house.at("2026-03-28 22:00")
    for number in ("F-4", "F-5"):
        scene.house.contact(scene.invoices[number])
    found = scene.look()
    assert {"I4 caps hold on local dates", "I4 every contact falls into a window, on the local time of its zone"} <= found.keys()


def test_every_check_has_a_plant() -> None:
    planted = {name for name in CHECKS for check, _ in PLANTS if name.startswith(check)}
    assert set(CHECKS) - planted == {"I4 caps hold on local dates"}, "which the test above plants"


@pytest.mark.parametrize("locked", [True, False], ids=["with the lock", "without the lock"])
def test_without_the_debtors_lock_a_claim_commits_after_the_payment_and_is_found(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, locked: bool
) -> None:
    """A payment arrives when the last look is over: with the lock it waits, without it the check sees the breach."""
    scene.house.at("2026-03-26 09:00")
    paying = threading.Thread(target=_pays, args=(scene, "F-1", AMOUNT, "p-1"))
    begin = contacts.start_call

    def begin_and_linger(*args: Any, **kwargs: Any) -> bool:
        may = begin(*args, **kwargs)
        paying.start()
        paying.join(timeout=1.0 if locked else None)
        return may

    monkeypatch.setattr(contacts, "start_call", begin_and_linger)
    if not locked:
        monkeypatch.setattr(collector, "lock_debtor_of", lambda session, invoice_id: Locked(0, False))
    scene.house.contact(scene.invoices["F-1"])
    paying.join()
    monkeypatch.undo()
    scene.house.plan(scene.invoices["F-1"])
    scene.house.move(scene.house.tools.clock.now() + timedelta(seconds=10))
    _running(scene)
    found = [name for name in scene.look() if name.startswith("I3")]
    assert bool(found) is not locked, found
