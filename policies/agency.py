"""Keep a debt or place it with an agency: the comparison by the manual's figures, and the rows of the placement (F86, F87)."""

from __future__ import annotations

from datetime import date
from typing import Literal

from policies.facts import InvoiceFacts
from policies.manual import Agency
from policies.terms import AttemptState, Currency, MinorUnits, Model


class Comparison(Model):
    """What each way is expected to bring, in minor units of one currency, and which is better."""

    recommend: Literal["place", "keep"]
    figures: dict[str, int]
    """balance_minor, expected_house_minor (net of house_cost_minor), agency_gross_minor, commission_minor,
    expected_agency_minor (net of the commission), advantage_minor (agency less house), and minimum_minor where there is one."""
    rules: tuple[str, ...]
    why: str


class PlacementRow(Model):
    """One open instalment as it goes to the agency: ids, dates and sums; names are added by the room that holds them."""

    creditor_id: str
    account_id: str
    invoice_id: str
    invoice_number: str
    instalment: int
    issued_on: date
    due_on: date
    days_late: int
    currency: Currency
    amount_minor: MinorUnits
    balance_minor: MinorUnits
    contacts_made: int
    last_contact_on: date | None
    agreements_missed: int


def compare(balance_minor: int, currency: Currency, terms: Agency) -> Comparison:
    """Compare the net that the house and the agency are expected to bring.

    Integers only: recoveries are rounded down and the commission up, so a tie or a doubt keeps the debt. Below the currency's
    minimum, or in a currency without one, the debt is never placed (playbook 2).
    """
    house_cost = terms.house_cost_minor.get(currency, 0)
    house = balance_minor * terms.recover_house_pct // 100 - house_cost
    gross = balance_minor * terms.recover_agency_pct // 100
    commission = -(-gross * terms.commission_pct // 100)
    agency = gross - commission
    figures = {
        "balance_minor": balance_minor,
        "expected_house_minor": house,
        "house_cost_minor": house_cost,
        "agency_gross_minor": gross,
        "commission_minor": commission,
        "expected_agency_minor": agency,
        "advantage_minor": agency - house,
    }
    minimum = terms.minimum.get(currency)
    if minimum is None:
        why = f"this manual places no debt in {currency} by itself"
        return Comparison(recommend="keep", figures=figures, rules=("agency.no_minimum",), why=why)
    figures["minimum_minor"] = minimum
    if balance_minor < minimum:
        why = f"{balance_minor} minor units are below the least for an agency, {minimum}"
        return Comparison(recommend="keep", figures=figures, rules=("agency.below_minimum",), why=why)
    if agency > house:
        why = f"the agency is expected to bring {agency - house} minor units more than the house"
        return Comparison(recommend="place", figures=figures, rules=("agency.better",), why=why)
    why = f"the house is expected to bring {house}, the agency {agency} minor units"
    return Comparison(recommend="keep", figures=figures, rules=("agency.not_better",), why=why)


def placement_rows(facts: InvoiceFacts, today: date) -> tuple[PlacementRow, ...]:
    """One row for each instalment that is still owed, oldest first. `today` is the creditor's local day."""
    made = [c for c in facts.contacts if c.state not in (AttemptState.PLANNED, AttemptState.FAILED)]
    missed = sum(1 for a in facts.agreements if a.state in ("partly", "broken"))
    return tuple(
        PlacementRow(
            creditor_id=facts.creditor_id,
            account_id=facts.account_id,
            invoice_id=facts.invoice_id,
            invoice_number=facts.order,
            instalment=instalment.number,
            issued_on=facts.issued_on,
            due_on=instalment.due_on,
            days_late=max((today - instalment.due_on).days, 0),
            currency=facts.currency,
            amount_minor=instalment.amount_minor,
            balance_minor=instalment.balance_minor,
            contacts_made=len(made),
            last_contact_on=max((c.local_date for c in made), default=None),
            agreements_missed=missed,
        )
        for instalment in sorted(facts.instalments, key=lambda i: (i.due_on, i.number))
        if instalment.balance_minor > 0
    )
