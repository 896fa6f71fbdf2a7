"""What a customer may be granted, and whether what was granted was kept (F64-F66, F70-F79).

The rung says the most that may be offered, the band of the balance clips it, and a wish beyond that is refused together with
the nearest that is allowed. Everything is cent-exact; nothing here writes.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Annotated, Literal

from dateutil.relativedelta import relativedelta
from pydantic import Field

from policies import habits
from policies.facts import InvoiceFacts, Milestone
from policies.hours import local_date_of
from policies.judgement import Judgement, judge
from policies.manual import Band, Manual, Offer, Rung
from policies.terms import AttemptState, ContactKey, Currency, DebtorKind, MinorUnits, Model
from policies.typed import Day

__all__ = [
    "Accepted", "Answer", "Discount", "Extension", "Judgement", "Plan", "Promise", "Refused", "Request", "answer", "band_of",
    "discount_until", "judge", "offer_at", "offering_rung",
]  # fmt: skip


class Promise(Model):
    """I pay on that day: `amount_minor`, or all of the balance when it is None."""

    kind: Literal["promise"] = "promise"
    on: Day
    amount_minor: MinorUnits | None = None


class Extension(Model):
    """Give me until that day for all of the balance."""

    kind: Literal["extension"] = "extension"
    until: Day


class Plan(Model):
    """Let me pay in `count` parts from `first_on` on, every so many days or monthly."""

    kind: Literal["plan"] = "plan"
    count: int
    first_on: Day
    every_days: int | Literal["monthly"] = "monthly"
    first_amount_minor: MinorUnits | None = None


class Discount(Model):
    """I pay all at once on that day, less the discount offered."""

    kind: Literal["discount"] = "discount"
    pay_on: Day


Request = Annotated[Promise | Extension | Plan | Discount, Field(discriminator="kind")]


class Accepted(Model):
    """The terms of an agreement, ready to be recorded. `waived_minor` is forgiven when a discount is kept."""

    answer: Literal["accepted"] = "accepted"
    kind: Literal["promise", "extension", "plan", "discount"]
    milestones: tuple[Milestone, ...]
    grace_days: int
    waived_minor: MinorUnits = 0
    rules: tuple[str, ...] = ()


class Refused(Model):
    """Why not, in one sentence, and the nearest that the manual allows (None when nothing is)."""

    answer: Literal["refused"] = "refused"
    why: str
    rules: tuple[str, ...]
    nearest: Accepted | None = None


Answer = Accepted | Refused

_DATES = ("promise", "extension", "discount")


class _Table:
    """One negotiation: the facts, and the offer in force clipped by the band."""

    def __init__(self, facts: InvoiceFacts, manual: Manual, rung_id: str | None, today: date) -> None:
        self.facts = facts
        self.manual = manual
        self.rung_id = rung_id
        self.today = today
        self.balance_minor = facts.balance_minor
        self.offer = offer_at(manual, rung_id, facts.balance_minor, facts.currency) or Offer()

    def missed(self, kinds: Iterable[str]) -> int:
        """Agreements of these kinds that were not kept in full."""
        wanted = set(kinds)
        return sum(1 for a in self.facts.agreements if a.kind in wanted and a.state in ("partly", "broken"))

    @property
    def dates_used_up(self) -> bool:
        return self.missed(_DATES) >= self.manual.promise.count_max

    @property
    def why_no_dates(self) -> str:
        most = self.manual.promise.count_max
        return f"No further date can be agreed: {self.missed(_DATES)} were missed on this invoice, and {most} is the most."

    @property
    def plans_used_up(self) -> bool:
        return self.missed(("plan",)) >= self.manual.promise.count_max

    @property
    def first_least_minor(self) -> int:
        """The least first payment of a plan: its share of the balance, rounded up, and always something."""
        return max(-(-self.balance_minor * self.offer.first_share_min_pct // 100), 1)

    @property
    def instalments_most(self) -> int:
        """No more parts than the offer, and none of them empty once the first has its share."""
        return min(self.offer.instalments_max, self.balance_minor - self.first_least_minor + 1)

    def clip(self, wish: date, days_max: int) -> date:
        """The allowed day nearest to the wish: from today to so many days from today."""
        return min(max(wish, self.today), self.today + timedelta(days=days_max))

    @property
    def promise_last(self) -> date:
        """The last day that may be promised: of so many payment runs where they are known, else so many days away."""
        found = habits.runs(self.facts.habits, self.today, self.manual.promise.runs_max, self._place)
        return found[-1] if found else self.today + timedelta(days=self.manual.promise.days_max)

    @property
    def _place(self) -> habits.Place:
        return habits.Place(self.facts.country, self.facts.region)

    def promise(self, wish: date, amount_minor: int) -> Accepted:
        """The promise nearest to the wish; a company that pays in runs pays in the run on or after the day it names."""
        on = min(max(wish, self.today), self.promise_last)
        run = habits.run_for(self.facts.habits, on, self._place) if self.facts.kind is DebtorKind.BUSINESS else None
        if run is None or run == on or run > self.promise_last:
            return self.accept("promise", on, amount_minor)
        made = self.accept("promise", run, amount_minor)
        return made.model_copy(update={"rules": (*made.rules, "negotiation.payment_run")})

    def accept(self, kind: Literal["promise", "extension"], on: date, amount_minor: int) -> Accepted:
        milestone = Milestone(number=1, due_on=on, amount_minor=amount_minor)
        return Accepted(
            kind=kind, milestones=(milestone,), grace_days=self.manual.promise.grace_days, rules=(f"negotiation.{kind}",)
        )


def offering_rung(manual: Manual, rung_id: str | None) -> Rung | None:
    """The rung whose offer is in force at `rung_id`: the latest one up to it that states an offer.

    A rung without an offer (an internal task, a notice) leaves the earlier one in force; `offer: {}` withdraws it. None before
    the ladder has begun, or when no rung up to it offers anything. Raises KeyError for an unknown rung.
    """
    if rung_id is None:
        return None
    manual.rung(rung_id)
    found: Rung | None = None
    for rung in manual.ladder:
        if rung.offer is not None:
            found = rung
        if rung.rung == rung_id:
            break
    return found


def band_of(manual: Manual, balance_minor: int, currency: Currency) -> Band | None:
    """The guard-rails for a balance: the first band of its currency that reaches so far."""
    for band in manual.bands:
        if band.currency == currency and (band.up_to_minor is None or balance_minor <= band.up_to_minor):
            return band
    return None


def offer_at(manual: Manual, rung_id: str | None, balance_minor: int, currency: Currency) -> Offer | None:
    """The offer in force at a rung, clipped by the band of the balance; None when nothing but a promise may be granted.

    A manual with bands for other currencies only grants nothing in this one. Raises KeyError for an unknown rung.
    """
    rung = offering_rung(manual, rung_id)
    if rung is None or rung.offer is None:
        return None
    offer = rung.offer
    if manual.bands:
        band = band_of(manual, balance_minor, currency)
        if band is None:
            return None
        offer = offer.model_copy(
            update={
                "extension_days_max": min(offer.extension_days_max, band.extension_days_max),
                "instalments_max": min(offer.instalments_max, band.instalments_max),
                "first_share_min_pct": max(offer.first_share_min_pct, band.first_share_min_pct),
                "discount_max_pct": min(offer.discount_max_pct, band.discount_max_pct),
            }
        )
    return offer if offer.extension_days_max or offer.instalments_max > 1 or offer.discount_max_pct else None


def discount_until(facts: InvoiceFacts, manual: Manual, rung_id: str | None, today: date) -> date | None:
    """The last day on which the discount in force may be paid: `discount_days` after the contact that offered it (F76).

    Counted from today while that contact has not gone out in this cycle; None when no discount is in force.
    """
    offer = offer_at(manual, rung_id, facts.balance_minor, facts.currency)
    rung = offering_rung(manual, rung_id)
    if offer is None or rung is None or offer.discount_max_pct == 0:
        return None
    offered = [
        contact.local_date
        for contact in facts.contacts
        if contact.state not in (AttemptState.PLANNED, AttemptState.FAILED)
        and (key := ContactKey.parse(contact.key)).rung == rung.rung
        and key.cycle == facts.cycle
    ]
    return max(offered, default=today) + timedelta(days=offer.discount_days)


def answer(request: Request, *, facts: InvoiceFacts, manual: Manual, rung_id: str | None, today: date, now: datetime) -> Answer:
    """Grant the wish or refuse it with the nearest that is allowed.

    `today` is the debtor's local day at `now`; ValueError when it is not, so that no room counts days of its own. `rung_id` is
    the rung the ladder has reached (None before the first); KeyError for an unknown one.
    """
    if local_date_of(now, facts.zone) != today:
        raise ValueError(f"{today.isoformat()} is not the day in {facts.zone} at {now.isoformat()}")
    if facts.status != "open" or facts.balance_minor <= 0:
        return Refused(why="Nothing is owed on this invoice.", rules=("negotiation.nothing_owed",))
    if any(a.state == "open" for a in facts.agreements):
        why = "There is an agreement already; it must end before another is made."
        return Refused(why=why, rules=("negotiation.open_agreement",))
    if facts.placement is not None and facts.placement.state in ("approved", "placed"):
        return Refused(why="The debt is with an agency; please agree with them.", rules=("negotiation.placed",))
    table = _Table(facts, manual, rung_id, today)
    if isinstance(request, Promise):
        return _promise(request, table)
    if isinstance(request, Extension):
        return _extension(request, table)
    if isinstance(request, Plan):
        return _plan(request, table)
    return _discount(request, table)


def _nearest_promise(table: _Table, wish: date, amount_minor: int | None = None) -> Accepted | None:
    if table.dates_used_up:
        return None
    wanted = table.balance_minor if amount_minor is None else amount_minor
    return table.promise(wish, min(max(wanted, 1), table.balance_minor))


def _promise(request: Promise, table: _Table) -> Answer:
    wanted = table.balance_minor if request.amount_minor is None else request.amount_minor
    nearest = _nearest_promise(table, request.on, request.amount_minor)
    if nearest is None:
        return Refused(why=table.why_no_dates, rules=("negotiation.promise_count",))
    if request.on < table.today:
        return Refused(why=f"{request.on.isoformat()} has passed.", rules=("negotiation.past",), nearest=nearest)
    if not 0 < wanted <= table.balance_minor:
        why = f"The sum must be above 0 and at most the {table.balance_minor} minor units owed."
        return Refused(why=why, rules=("negotiation.amount",), nearest=nearest)
    if request.on > table.promise_last:
        why = f"A promise may be at most {(table.promise_last - table.today).days} days away."
        return Refused(why=why, rules=("negotiation.promise_days",), nearest=nearest)
    return nearest


def _extension(request: Extension, table: _Table) -> Answer:
    days_max = table.offer.extension_days_max
    if table.dates_used_up:
        return Refused(why=table.why_no_dates, rules=("negotiation.promise_count",))
    if days_max == 0:
        why = "No extension is offered at this point; a date for the payment can be promised."
        return Refused(why=why, rules=("negotiation.not_offered",), nearest=_nearest_promise(table, request.until))
    nearest = table.accept("extension", table.clip(request.until, days_max), table.balance_minor)
    if request.until < table.today:
        return Refused(why=f"{request.until.isoformat()} has passed.", rules=("negotiation.past",), nearest=nearest)
    if request.until > table.today + timedelta(days=days_max):
        why = f"An extension may be at most {days_max} days."
        return Refused(why=why, rules=("negotiation.extension_days",), nearest=nearest)
    return nearest


def _discount(request: Discount, table: _Table) -> Answer:
    last = discount_until(table.facts, table.manual, table.rung_id, table.today)
    if table.dates_used_up:
        return Refused(why=table.why_no_dates, rules=("negotiation.promise_count",))
    if last is None or last < table.today:
        why = "No discount is offered at this point." if last is None else f"The discount ended on {last.isoformat()}."
        return Refused(why=why, rules=("negotiation.not_offered",), nearest=_nearest_promise(table, request.pay_on))
    waived = table.balance_minor * table.offer.discount_max_pct // 100
    pay_on = min(max(request.pay_on, table.today), last)
    if waived >= table.balance_minor:
        return Refused(why="A discount of everything is a write-off; ask a person.", rules=("negotiation.amount",))
    nearest = Accepted(
        kind="discount",
        milestones=(Milestone(number=1, due_on=pay_on, amount_minor=table.balance_minor - waived),),
        grace_days=0,
        waived_minor=waived,
        rules=("negotiation.discount",),
    )
    if request.pay_on < table.today:
        return Refused(why=f"{request.pay_on.isoformat()} has passed.", rules=("negotiation.past",), nearest=nearest)
    if request.pay_on > last:
        why = f"The discount is for a payment by {last.isoformat()}."
        return Refused(why=why, rules=("negotiation.discount_days",), nearest=nearest)
    return nearest


LONGEST_STEP_DAYS = 31
"""Instalments are at most a month apart."""


def _plan(request: Plan, table: _Table) -> Answer:
    if table.plans_used_up:
        why = f"{table.missed(('plan',))} plans were missed, and {table.manual.promise.count_max} is the most on one invoice."
        return Refused(why=why, rules=("negotiation.plan_count",), nearest=_nearest_promise(table, request.first_on))
    if table.instalments_most < 2:
        why = "No instalments are offered at this point; a date for the payment can be promised."
        return Refused(why=why, rules=("negotiation.not_offered",), nearest=_nearest_promise(table, request.first_on))
    fitted, changes = _fitted(request, table)
    if fitted is None:
        return Refused(why=changes[0][1], rules=(changes[0][0],), nearest=_nearest_promise(table, request.first_on))
    terms = _terms(fitted, table)
    if not changes:
        return terms
    why = " ".join(change[1] for change in changes)
    return Refused(why=why, rules=tuple(dict.fromkeys(change[0] for change in changes)), nearest=terms)


def _fitted(request: Plan, table: _Table) -> tuple[Plan | None, list[tuple[str, str]]]:
    """The plan nearest to the wish, and (rule, sentence) for each thing that had to change; None when no plan fits."""
    offer, today, changes = table.offer, table.today, []
    days_max = table.manual.promise.days_max
    first_on = table.clip(request.first_on, days_max)
    if request.first_on < today:
        changes.append(("negotiation.past", f"{request.first_on.isoformat()} has passed."))
    elif request.first_on != first_on:
        changes.append(("negotiation.first_date", f"The first payment may be at most {days_max} days away."))
    every = request.every_days
    if every != "monthly" and not 1 <= every <= LONGEST_STEP_DAYS:
        every = min(max(every, 1), LONGEST_STEP_DAYS)
        changes.append(("negotiation.step", f"Payments may be 1 to {LONGEST_STEP_DAYS} days apart, or monthly."))
    most = table.instalments_most
    count = min(max(request.count, 2), most)
    if count != request.count:
        changes.append(("negotiation.instalments", f"A plan may have 2 to {most} payments."))
    if offer.plan_days_max is not None:
        end = today + timedelta(days=offer.plan_days_max)
        asked_count = count
        while count >= 2 and _due(first_on, every, count - 1) > end:
            count -= 1
        if count < asked_count:
            changes.append(("negotiation.plan_days", f"The last payment must be by {end.isoformat()}."))
        if count < 2:
            return None, [changes[-1]]
    least, most_first = table.first_least_minor, table.balance_minor - (count - 1)
    first = request.first_amount_minor
    if first is not None and not least <= first <= most_first:
        first = min(max(first, least), most_first)
        changes.append(("negotiation.first_share", f"The first payment must be {least} to {most_first} minor units."))
    fitted = Plan(count=count, first_on=first_on, every_days=every, first_amount_minor=first)
    return fitted, changes


def _due(first_on: date, every: int | Literal["monthly"], index: int) -> date:
    if every == "monthly":
        due: date = first_on + relativedelta(months=index)
        return due
    return first_on + timedelta(days=every * index)


def _terms(plan: Plan, table: _Table) -> Accepted:
    """Cent-exact: the parts add up to the balance, and what does not divide comes with the last."""
    balance, count = table.balance_minor, plan.count
    first = plan.first_amount_minor
    if first is None:
        first = min(max(balance // count, table.first_least_minor), balance - (count - 1))
    each = (balance - first) // (count - 1)
    amounts = [first, *([each] * (count - 2))]
    amounts.append(balance - sum(amounts))
    milestones = tuple(
        Milestone(number=index + 1, due_on=_due(plan.first_on, plan.every_days, index), amount_minor=amount)
        for index, amount in enumerate(amounts)
    )
    return Accepted(kind="plan", milestones=milestones, grace_days=table.manual.promise.grace_days, rules=("negotiation.plan",))
