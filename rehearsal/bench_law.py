"""How many verdicts a core gives in a second, and what one weighs in a decision and in a contact."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from time import process_time
from uuid import UUID

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session
from temporalio.testing import ActivityEnvironment

from activities.collector import Collector
from activities.wire import InvoiceRef
from clock import monotonic
from ledger.acceptance import accept_batch
from ledger.facts import gather
from policies.calendars import holiday_name
from policies.contactable import first_allowed
from policies.facts import BudgetEntry, InvoiceFacts, LawTerms
from policies.hours import Place, local_date_of, zone_of
from policies.intake_model import InvoiceIn
from policies.law.packs import packs_for
from policies.manual import Manual, builtin_manual
from policies.next_step import next_step
from policies.terms import AttemptState, Channel
from rehearsal.bench_house import Figure, House, Sizes, add_bench_creditor, every_day, invoice, middle
from settings import Settings
from worker import build_tools

VERDICTS_MIN = 5_000.0
_PLACES = {
    "CO": Place("America/Bogota", "CO", "", "CO"),
    "US-MA": Place("America/New_York", "US", "MA", "US"),
    "EC": Place("America/Guayaquil", "EC", "", "EC"),
    "BR-SP": Place("America/Sao_Paulo", "BR", "SP", "BR"),
}
_ASKED = datetime(2026, 3, 10, 11, 0, tzinfo=UTC)
_LIMITS = builtin_manual("b2c_credit").limits
_PERSON = "a-person"


def _history(zone: str) -> tuple[BudgetEntry, ...]:
    """Ten contacts about three invoices, four days apart: eight were made, two slots are reserved."""
    found = []
    for number in range(10):
        at = _ASKED + timedelta(days=4 * number - 34, minutes=37 * number)
        found.append(
            BudgetEntry(
                invoice_id=f"invoice-{number % 3}", key=f"1.1.S{number}.0", person_id=_PERSON, at=at,
                channel=(Channel.EMAIL, Channel.SMS)[number % 2], local_date=local_date_of(at, zone),
                state=AttemptState.DELIVERED if at < _ASKED else AttemptState.PLANNED,
            )
        )  # fmt: skip
    return tuple(found)


def _bare(zone: str, holidays: frozenset[date]) -> Callable[[datetime], bool]:
    """The hours of Colombia, written by hand for one zone: what a verdict is without rules, budgets, reasons or a next moment."""
    tz = zone_of(zone)

    def allowed(at: datetime) -> bool:
        local = at.astimezone(tz)
        if local.date() in holidays or local.weekday() == 6:
            return False
        return 7 <= local.hour < 19 if local.weekday() < 5 else 8 <= local.hour < 15

    return allowed


def _rate(ask: Callable[[datetime], object], times: int) -> float:
    """Questions a second of the processor's time, over instants of two weeks that are all different."""
    began = process_time()
    for number in range(times):
        ask(_ASKED + timedelta(minutes=37 * number % 20_160, seconds=number))
    return times / (process_time() - began)


def _verdict(place: Place, history: tuple[BudgetEntry, ...]) -> Callable[[datetime], object]:
    terms = LawTerms(packs=packs_for(place.country, place.region), zones=(place.zone,), party="third")
    return lambda at: first_allowed(
        at, channel=Channel.EMAIL, person_id=_PERSON, budget=history, own=("asked", "1.1.S1.0"), firm=False, place=place,
        limits=_LIMITS, law=terms,
    )  # fmt: skip


def verdicts(sizes: Sizes) -> list[Figure]:
    """Law and house together, by place, in turn with the bare test of a window."""
    days = (_ASKED.date() + timedelta(days=number) for number in range(30))
    bare = _bare("America/Bogota", frozenset(day for day in days if holiday_name(day, "CO") is not None))
    asks = {code: _verdict(place, _history(place.zone)) for code, place in _PLACES.items()}
    rates: dict[str, list[float]] = {code: [] for code in asks}
    bares: list[float] = []
    for _ in range(sizes.verdict_rounds):
        for code, ask in asks.items():
            rates[code].append(_rate(ask, sizes.verdicts))
        bares.append(_rate(bare, 10 * sizes.verdicts))
    beside = f"a window tested by hand: {middle(bares):,.0f}/s"
    found = []
    for code, measured in rates.items():
        rate = middle(measured)
        goal, met = (f"at least {VERDICTS_MIN:,.0f}/s", rate >= VERDICTS_MIN) if code == "CO" else ("", None)
        found.append(Figure(f"verdicts on one core, {code}", f"{rate:,.0f}/s", beside, goal, met))
    return found


@dataclass
class _Fixed:
    """A clock that is put forward by hand."""

    at: datetime

    def now(self) -> datetime:
        return self.at

    def wake_at(self, at: datetime, *, now: datetime, started: datetime) -> datetime:
        return at


def _timed(what: Callable[[], object]) -> float:
    began = monotonic()
    what()
    return monotonic() - began


def _decided(facts: InvoiceFacts, manual: Manual, now: datetime) -> Iterator[tuple[float, float]]:
    """Seconds of one verdict and of the whole decision, several times."""
    place = Place(facts.zone, facts.country, facts.region, facts.creditor_country)
    reach = facts.reach[0]
    for _ in range(20):
        verdict = _timed(
            lambda: first_allowed(
                now, channel=reach.channel, person_id=reach.person_id, budget=facts.budget, own=(facts.invoice_id, ""),
                firm=False, place=place, limits=manual.limits, law=facts.law,
            )
        )  # fmt: skip
        yield verdict, _timed(lambda: next_step(facts, manual, now))


def law(house: House, sizes: Sizes) -> list[Figure]:
    """Verdicts a second; then one verdict beside the decision that asks for it and beside the whole contact activity."""
    figures = verdicts(sizes)
    database = house.database("law")
    engine = house.engine(database)
    environment = house.environment(database)
    known = {f"PUNTUAL_{name.upper()}": name for name in Settings.__dataclass_fields__}
    settings = Settings(**{known[name]: value for name, value in environment.items() if name in known})
    clock = _Fixed(datetime(2026, 3, 2, 12, 0, tzinfo=UTC))
    ids = _accepted(house, engine, sizes, clock.at)
    verdict_s: list[float] = []
    decision_s: list[float] = []
    contact_s: list[float] = []
    worker = ActivityEnvironment()
    collector = Collector(replace(build_tools(settings, engine), clock=clock))
    with house.simulator():
        for invoice_id in ids:
            ref = InvoiceRef(id=str(invoice_id))
            for _ in range(3):
                step = worker.run(collector.plan, ref)
                clock.at = max(clock.at, step.wake)
                with Session(engine) as session:
                    facts, manual = gather(session, str(invoice_id), clock.at)
                for verdict, decision in _decided(facts, manual, clock.at):
                    verdict_s.append(verdict)
                    decision_s.append(decision)
                contact_s.append(_timed(partial(worker.run, collector.send_email, ref)))
            clock.at = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
    with engine.connect() as connection:
        made = connection.execute(text("select count(*) from contact where state = 'accepted'")).scalar_one()
    engine.dispose()
    if made < len(ids) * 3:
        raise RuntimeError(f"{made} contacts were made instead of {len(ids) * 3}")
    verdict, decision, contact = (middle(measured) * 1e6 for measured in (verdict_s, decision_s, contact_s))
    return [
        *figures,
        Figure("one verdict in a decision", f"{verdict:,.0f} µs", f"the whole decision {decision:,.0f} µs"),
        Figure("one verdict in a contact", f"{100 * verdict / contact:,.1f} %", f"the contact activity {contact:,.0f} µs"),
    ]


def _accepted(house: House, engine: Engine, sizes: Sizes, now: datetime) -> list[UUID]:
    creditor = add_bench_creditor(engine, house.sealer, every_day(10), slug="law", now=now)
    bodies = [invoice(f"L-{n}", f"C-{n}", (now + timedelta(days=1)).date()) for n in range(sizes.law_invoices)]
    for body in bodies:
        body["account"]["kind"] = "consumer"
    given = [InvoiceIn.model_validate(body) for body in bodies]
    with Session(engine) as session, session.begin():
        accept_batch(session, creditor.id, given, now=now, sealer=house.sealer)
    with engine.connect() as connection:
        return list(connection.execute(text("select id from invoice order by number")).scalars())
