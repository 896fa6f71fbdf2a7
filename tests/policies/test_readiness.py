"""An assumed due date and an invoice not shown to be delivered, with both sides of each edge.

Ana's invoice is issued on Monday 2 February 2026 and due on Sunday 1 March, effective Monday 2 March; she is in Colombia.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from policies.delivery import proof_of
from policies.delivery_facts import DeliveryFact
from policies.facts import Instalment, InvoiceFacts, PastContact, Reach
from policies.forecast import BookEntry, forecast, settle
from policies.manual import Manual, load_manual
from policies.steps import Ask, Contact, HandOff, Skip, Step, Wait
from policies.terms import AttemptState, Channel
from tests.policies.samples import agreement, invoice, paid

LADDER = """
name: t
version: 1
send_at: "09:00"
delivery: {delivery}
ladder:
  - {{rung: B1, day: I+2wd, channels: [email], template: delivery_check}}
  - {{rung: B2, day: D-7, channels: [email], template: due_soon_statement}}
  - {{rung: B3, day: D+2wd, channels: [email], template: first_reminder}}
  - {{rung: B4, day: D+14, channels: [email], template: open_items}}
  - {{rung: B5, day: D+20, action: task, template: account_owner_objects}}
  - {{rung: B6, day: D+45, channels: [email], template: decision_maker, firm: true}}
  - {{rung: B7, day: D+75, action: decision}}
agency:
  commission_pct: 20
  recover_agency_pct: 45
  recover_house_pct: 30
"""
REQUIRED = load_manual(LADDER.format(delivery="required"), "t.yaml")
ASSUMED = load_manual(LADDER.format(delivery="assumed"), "t.yaml")
EMAIL = Reach(person_id="ana", address_id="ana-email", role="payables", channel=Channel.EMAIL, permitted=True)
BEFORE = datetime(2026, 2, 2, 15, tzinfo=UTC)


def at(text: str) -> datetime:
    """Local time in Bogota (UTC-5) as an instant."""
    return (datetime.fromisoformat(text) + timedelta(hours=5)).replace(tzinfo=UTC)


def ana(**change: Any) -> InvoiceFacts:
    """Ana's invoice with an e-mail address."""
    given: dict[str, Any] = {"reach": (EMAIL,), "issued_on": date(2026, 2, 2), "entered_at": BEFORE, "cycle_started_at": BEFORE}
    return invoice(**(given | change))


def mailed(key: str, day: str, state: AttemptState = AttemptState.DELIVERED, **more: Any) -> PastContact:
    """An e-mail of the invoice at nine on that day."""
    when = at(f"{day} 09:00")
    return PastContact(key=key, channel=Channel.EMAIL, state=state, at=when, local_date=when.date(), **more)


def told(kind: str, day: str, source: str = "erp") -> DeliveryFact:
    """What a billing system says on that day."""
    return DeliveryFact.model_validate({"kind": kind, "at": at(f"{day} 12:00"), "on": day, "source": source})


def obey(facts: InvoiceFacts, now: str, by: Manual = REQUIRED) -> Step:
    """What is left to obey once everything due at once is applied."""
    return settle(facts, by, at(now))[2]


def asked(facts: InvoiceFacts, now: str, by: Manual = REQUIRED) -> list[str]:
    """The tasks that are opened at once."""
    return [step.task for _, step in settle(facts, by, at(now))[1] if isinstance(step, Ask)]


SILENT: dict[str, Any] = {"skipped": ({"key": "1.1.B1.0", "why": "-"}, {"key": "1.1.B2.0", "why": "-"})}


def test_without_any_evidence_the_delivery_check_goes_in_place_of_the_overdue_rung() -> None:
    step = obey(ana(**SILENT), "2026-03-04 09:00")
    assert isinstance(step, Contact) and (step.template, step.rung) == ("delivery_check", "delivery_check")
    assert step.rules[0] == "delivery.missing" and step.at == at("2026-03-04 09:00")
    free = obey(ana(**SILENT), "2026-03-04 09:00", ASSUMED)
    assert isinstance(free, Contact) and free.rung == "B3"


@pytest.mark.parametrize(
    "known",
    [
        {"delivery": (told("delivered", "2026-02-10"),)}, {"delivery": (told("accepted", "2026-02-10"),)},
        {"delivery": (told("waived", "2026-02-10"),)}, {"delivery": (told("known", "2026-02-10"),)},
        {"contacts": (mailed("1.1.B2.0", "2026-02-20", carried=True),)},
        {"agreements": (agreement((date(2026, 2, 20), 50_000), state="kept", made_at=at("2026-02-16 10:00")),)},
        {"payments": (paid(date(2026, 2, 20), 1_000),)},
    ],
)  # fmt: skip
def test_each_kind_of_evidence_lets_the_rung_go_on_its_day(known: dict[str, Any]) -> None:
    step = obey(ana(**(SILENT | known)), "2026-03-04 09:00")
    assert isinstance(step, Contact) and step.rung == "B3" and step.at == at("2026-03-04 09:00")


def test_a_message_that_did_not_carry_the_document_or_did_not_arrive_is_no_evidence() -> None:
    for contact in (
        mailed("1.1.B2.0", "2026-02-20"),
        mailed("1.1.B2.0", "2026-02-20", AttemptState.ACCEPTED, carried=True),
        mailed("1.1.B2.0", "2026-02-20", carried=True, earlier=True),
    ):
        step = obey(ana(skipped=SILENT["skipped"][:1], contacts=(contact,)), "2026-03-04 09:00")
        assert isinstance(step, Contact) and step.template == "delivery_check"


@pytest.mark.parametrize(("sent", "goes"), [("2026-02-24", "2026-03-05 09:00"), ("2026-02-20", "2026-03-04 09:00")])
def test_a_delivered_check_without_objection_counts_after_five_working_days(sent: str, goes: str) -> None:
    facts = ana(contacts=(mailed("1.1.B1.0", sent),), skipped=SILENT["skipped"][1:])
    proof = proof_of(facts, REQUIRED)
    assert proof is not None and proof.source == "no_objection" and proof.sure
    step = obey(facts, "2026-03-03 09:00")
    assert isinstance(step, Contact) and step.rung == "B3" and step.at == at(goes)


def test_a_check_that_nobody_knows_to_have_arrived_is_a_task_and_then_ends() -> None:
    facts = ana(contacts=(mailed("1.1.B1.0", "2026-02-04", AttemptState.ACCEPTED),), skipped=SILENT["skipped"][1:])
    planned = obey(facts, "2026-03-03 09:00")
    assert isinstance(planned, Contact) and planned.rung == "B3"  # it is taken to arrive
    assert asked(facts, "2026-03-04 09:00") == ["prove_delivery"]
    after, _, step = settle(facts, REQUIRED, at("2026-03-04 09:00"))
    assert isinstance(step, Wait) and step.until == "delivery" and step.at == at("2026-04-03 09:00")
    assert "delivery.missing" in step.rules
    waiting = settle(after, REQUIRED, at("2026-04-03 08:59"))[2]
    assert isinstance(waiting, Wait)
    given_up = [s for _, s in settle(after, REQUIRED, at("2026-04-03 09:00"))[1] if isinstance(s, Skip)]
    assert [s.rung for s in given_up] == ["B3"] and "delivery.missing" in given_up[0].rules


def test_where_nobody_can_be_asked_a_person_proves_the_delivery() -> None:
    nobody = EMAIL.model_copy(update={"permitted": False, "why_not": "opted out"})
    facts = ana(**SILENT, reach=(nobody,))
    assert asked(facts, "2026-03-04 09:00") == ["prove_delivery"]
    assert asked(facts, "2026-03-04 08:59") == []


def test_a_later_overdue_rung_does_not_overtake_one_that_waits_for_evidence() -> None:
    facts = ana(contacts=(mailed("1.1.B1.0", "2026-02-04", AttemptState.ACCEPTED),), skipped=SILENT["skipped"][1:])
    _, answers, _ = settle(facts, REQUIRED, at("2026-03-17 09:00"))
    assert not [s for _, s in answers if isinstance(s, Skip)]


def test_the_ladder_counts_from_the_evidence_where_that_came_after_the_due_date() -> None:
    late = ana(**SILENT, delivery=(told("delivered", "2026-03-12"),))
    step = obey(late, "2026-03-12 13:00")
    assert isinstance(step, Contact) and step.rung == "B3" and step.at == at("2026-03-16 09:00")  # two working days later
    early = ana(**SILENT, delivery=(told("delivered", "2026-03-02"),))
    assert obey(early, "2026-03-02 13:00").at == at("2026-03-04 09:00")


@pytest.mark.parametrize("kind", ["not_received", "rejected"])
def test_an_objection_undoes_what_was_known_and_the_check_goes_again(kind: str) -> None:
    before = (told("delivered", "2026-02-05"), told(kind, "2026-03-03"))
    facts = ana(**SILENT, delivery=before, contacts=(mailed("1.1.B1.0", "2026-02-04"),))
    step = obey(facts, "2026-03-04 09:00")
    assert isinstance(step, Contact) and step.key == "0.1.delivery_check.1"
    again = facts.model_copy(update={"delivery": (*before, told("delivered", "2026-03-04"))})
    assert obey(again, "2026-03-06 09:00").model_dump()["rung"] == "B3"


def test_rungs_before_the_due_date_and_tasks_need_no_evidence_but_the_decision_does() -> None:
    first = obey(ana(), "2026-02-03 09:00")
    assert isinstance(first, Contact) and first.rung == "B1"
    gone = tuple({"key": f"1.1.B{n}.0", "why": "-"} for n in (1, 2, 3, 4))
    assert asked(ana(skipped=gone), "2026-03-22 09:00") == ["account_owner_objects"]
    last = ana(skipped=(*gone, *({"key": f"1.1.B{n}.0", "why": "-"} for n in (5, 6))))
    _, answers, step = settle(last, REQUIRED, at("2026-05-16 09:00"))
    assert not [s for _, s in answers if isinstance(s, HandOff)] and isinstance(step, Contact)
    _, answers, _ = settle(last, ASSUMED, at("2026-05-16 09:00"))
    assert [s for _, s in answers if isinstance(s, HandOff)]


def guessed(**change: Any) -> InvoiceFacts:
    """The same invoice with a due date that nobody stated."""
    part = Instalment(number=1, due_on=date(2026, 3, 1), amount_minor=100_000, balance_minor=100_000, due_assumed=True)
    return ana(instalments=(part,), **change)


def test_an_assumed_due_date_is_asked_about_once() -> None:
    after, answers, _ = settle(guessed(), ASSUMED, at("2026-02-03 09:00"))
    assert [(s.task, s.rules) for _, s in answers if isinstance(s, Ask)] == [("confirm_due_date", ("due.assumed",))]
    assert asked(after, "2026-02-20 09:00", ASSUMED) == []
    assert asked(ana(), "2026-02-03 09:00", ASSUMED) == []


def test_an_assumed_due_date_lets_courtesy_go_and_holds_the_rest_for_thirty_days() -> None:
    facts = guessed(**SILENT)
    courtesy = obey(facts, "2026-03-04 09:00", ASSUMED)
    assert isinstance(courtesy, Contact) and courtesy.rung == "B3"
    later = guessed(contacts=(mailed("1.1.B3.0", "2026-03-04"),), **SILENT)
    held = obey(later, "2026-03-16 09:00", ASSUMED)
    assert isinstance(held, Wait) and held.until == "due_date" and "due.assumed" in held.rules
    assert held.at == at("2026-03-16 09:00") + timedelta(days=30)
    skipped = [s for _, s in settle(later, ASSUMED, held.at)[1] if isinstance(s, Skip)]
    assert [(s.rung, "due.assumed" in s.rules) for s in skipped][:1] == [("B4", True)]
    confirmed = ana(contacts=(mailed("1.1.B3.0", "2026-03-04"),), **SILENT)
    goes = obey(confirmed, "2026-03-16 09:00", ASSUMED)
    assert isinstance(goes, Contact) and goes.rung == "B4"


def test_a_firm_rung_is_no_courtesy_however_early_it_comes() -> None:
    text = LADDER.format(delivery="assumed").replace("template: first_reminder", "template: first_reminder, firm: true")
    early = load_manual(text, "t.yaml")
    held = obey(guessed(**SILENT), "2026-03-04 09:00", early)
    assert isinstance(held, Wait) and "due.assumed" in held.rules
    assert isinstance(obey(ana(**SILENT), "2026-03-04 09:00", early), Contact)


def test_nothing_firm_and_no_decision_ever_goes_on_an_assumed_date() -> None:
    happened = forecast([BookEntry(guessed(), ASSUMED, at("2026-02-03 09:00"))], now=BEFORE, until=at("2027-02-03 09:00"))
    contacts = [p.step.rung for p in happened if isinstance(p.step, Contact)]
    assert contacts == ["B1", "B2", "B3"] and not [p for p in happened if isinstance(p.step, HandOff)]


def test_the_plan_of_a_new_invoice_takes_what_is_sent_to_arrive() -> None:
    happened = forecast([BookEntry(ana(), REQUIRED, at("2026-02-03 09:00"))], now=BEFORE, until=at("2026-06-03 09:00"))
    contacts = [p.step.rung for p in happened if isinstance(p.step, Contact)]
    assert contacts == ["B1", "B2", "B3", "B4", "B6"]
    assert not [p for p in happened if isinstance(p.step, Ask) and p.step.task == "prove_delivery"]


def test_a_reissued_invoice_keeps_the_age_of_the_old_one_and_says_nothing_twice() -> None:
    new = ana(
        age_from=date(2026, 1, 1), delivery=(told("delivered", "2026-02-05"),),
        contacts=(mailed("1.1.B3.0", "2026-01-07", earlier=True), mailed("1.1.B4.0", "2026-01-16", earlier=True)),
    )  # fmt: skip
    step = obey(new, "2026-02-10 09:00")
    assert isinstance(step, Contact) and step.rung == "B6"
    fresh = obey(new.model_copy(update={"age_from": None, "contacts": ()}), "2026-02-10 09:00")
    assert isinstance(fresh, Contact) and fresh.rung == "B1"
