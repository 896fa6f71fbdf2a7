"""The day that holds where nobody said one: what the law of the creditor's place supposes, else thirty days. Always `assumed`.

Dated: a rule holds for invoices issued from its day on. Sums and interest do not hang on it: an assumed date allows courtesy
rungs only until a person confirms it (playbook 3).
"""

from __future__ import annotations

from datetime import date
from functools import cache
from importlib.resources import files
from typing import Literal, NamedTuple

from policies.due_terms import Base, Bases, Due, TermRule, TermsTable, dues_from, load_table

HOUSE_DAYS = 30
"""Where no law says a number of days; the custom of trade in most places, and ours."""


class LegalTerm(NamedTuple):
    """What holds between businesses where nothing was agreed."""

    id: str
    since: date
    days: int
    base: Base
    source: str
    confidence: Literal["high", "medium"]


_DIRECTIVE = LegalTerm(
    "eu.2011-7", date(2013, 3, 16), 30, "reception", "Directive 2011/7/EU art. 3(3): 30 days from the invoice's receipt", "high"
)
_EU = frozenset("AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL PL PT RO SK SI SE".split())
_BY_COUNTRY = {
    "ES": LegalTerm("es.ley-3-2004", date(2013, 2, 24), 30, "reception", "Ley 3/2004 art. 4.1: 30 days from receipt", "high"),
    "GB": LegalTerm("uk.late-payment", date(1998, 11, 1), 30, "reception", "Late Payment of Commercial Debts Act 1998", "high"),
    "CL": LegalTerm("cl.ley-21131", date(2019, 5, 16), 30, "reception", "Ley 21.131: 30 days from receipt", "medium"),
    "CO": LegalTerm("co.ley-2024-2020", date(2022, 1, 1), 45, "reception", "Ley 2024 de 2020 art. 3: 45 days at most", "medium"),
    "PE": LegalTerm("pe.ley-31362", date(2021, 11, 16), 30, "issue", "Ley 31362: 30 days for small suppliers", "medium"),
}


def legal_term(country: str, kind: str, issued_on: date) -> LegalTerm | None:
    """The rule of a place for a business; consumers owe by what they agreed, and no law supposes a term for them."""
    rule = _BY_COUNTRY.get(country) or (_DIRECTIVE if country in _EU else None)
    return rule if rule is not None and kind == "business" and issued_on >= rule.since else None


def assumed_dues(amount_minor: int, bases: Bases, *, kind: str) -> tuple[tuple[Due, ...], str]:
    """One due date nobody stated, and the id of the rule it comes from (`house.30` where no law says one).

    `bases.country` is the place of payment. A term from receipt counts from issue where the day of receipt is not known.
    """
    rule = legal_term(bases.country, kind, bases.issued_on)
    days, base = (rule.days, rule.base) if rule else (HOUSE_DAYS, "issue")
    base = base if base == "issue" or bases.received_on is not None else "issue"
    return dues_from(TermRule(days=days, base=base), amount_minor, bases), rule.id if rule else f"house.{HOUSE_DAYS}"


@cache
def default_table() -> TermsTable:
    """The codes that ship (policies/due_terms.yaml); a creditor's own table takes their place."""
    return load_table(files("policies").joinpath("due_terms.yaml").read_text(encoding="utf-8"), "due_terms.yaml")
