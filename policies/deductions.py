"""What the payer keeps back or pays elsewhere, so that less than the invoice reaches the creditor: short by design.

A declared deduction is a part of the debt of its own, numbered from 1001, beside the instalments: the ladder asks for the
instalments only, which hold the net. A guarantee retention is no such part but an instalment that falls due when it is released.
Sums are minor units of the invoice's currency; rates are percent (9.66 per thousand is 0.966).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import Field, StrictInt

from policies.money import exponent
from policies.terms import Instant, MinorUnits, Model
from policies.typed import Day

PARTS_FROM: Final = 1001
"""Entries of the n-th deduction lie on instalment 1000 + n; instalments themselves have at most three digits."""
PROPOSED_DAYS: Final = 10
"""How long a proposed deduction keeps the rungs of that remainder waiting for a person; then they go on (I7)."""
STATE_BANK: Final = "state_bank:"

Kind = Literal[
    "retefuente", "reteiva", "reteica", "isr_retenido", "iva_retenido", "irpf", "detraccion", "retencion_igv",
    "ir_retenido", "retencion_garantia", "ritenuta", "iss_retido", "irrf", "retencion_honorarios", "other",
]  # fmt: skip
Amount = Annotated[StrictInt, Field(gt=0, le=10**15, description="minor units of the invoice's currency")]


class DeductionIn(Model):
    """One sum that the payer withholds or deposits elsewhere, as the invoice states it."""

    kind: Kind
    rate: str = Field(pattern=r"^\d{1,3}(\.\d{1,6})?$", description="percent: 2.5, 10.666667; 9.66 per thousand is 0.966")
    base_minor: Amount
    amount_minor: Amount
    where_paid: str = Field(
        "payer_withholds", pattern=r"^(payer_withholds|creditor_account|tax_authority|state_bank:[A-Za-z0-9 .-]{1,40})$",
        description="payer_withholds, creditor_account, tax_authority, or state_bank:<the creditor's account there>",
    )  # fmt: skip
    certificate_required: bool = Field(False, description="whether the payer owes a certificate or a proof of deposit for it")
    released_on: Day | None = Field(None, description="retencion_garantia only: the day on which the guarantee falls due")


class Deduction(Model):
    """A deduction as the policy knows it. `open_minor` is what of its own part has neither come nor been booked.

    States: declared (with the invoice), proposed (a gap that looks like one, until `decide_by`), confirmed, declined,
    reclassified (it was short payment), moot (the gap it explained has gone).
    """

    number: int
    kind: str
    amount_minor: MinorUnits
    open_minor: MinorUnits = 0
    instalment: int = 0
    """Where its entries lie: its own part, or the instalment whose gap it explains."""
    where_paid: str = "payer_withholds"
    certificate_required: bool = False
    certificate_on: date | None = None
    state: Literal["declared", "proposed", "confirmed", "declined", "reclassified", "moot"] = "declared"
    decide_by: Instant | None = None
    settled_at: Instant | None = None
    """Since when all that is to reach the creditor itself has come; documents are asked for after it."""

    @property
    def deposited(self) -> bool:
        """Whether it is paid to an account of the creditor at a state bank: a second destination with a balance of its own."""
        return self.where_paid.startswith(STATE_BANK)

    @property
    def stands(self) -> bool:
        """Whether it lowers what is asked."""
        return self.state in ("declared", "confirmed")

    @property
    def document_missing(self) -> bool:
        """Whether its certificate, or the deposit itself, has still to come."""
        return self.stands and (
            self.deposited and self.open_minor > 0 or self.certificate_required and self.certificate_on is None
        )


class Wrong(NamedTuple):
    """What is wrong with the deductions of an invoice, at a JSON pointer."""

    pointer: str
    detail: str


def findings(deductions: Sequence[DeductionIn], gross_minor: int, currency: str, last_due_on: date | None) -> Iterator[Wrong]:
    """Everything that makes no sense: sums that are not rate times base, more than the invoice, a guarantee without its day."""
    for index, given in enumerate(deductions):
        at = f"/deductions/{index}"
        right = of_base(given.base_minor, Decimal(given.rate))
        if not _near(given.amount_minor, right, given.kind, currency):
            said = f"{given.rate} % of {given.base_minor} is {right}, not {given.amount_minor}: correct one of the three"
            yield Wrong(f"{at}/amount_minor", said)
        if given.kind == "detraccion" and not given.where_paid.startswith(STATE_BANK):
            yield Wrong(f"{at}/where_paid", "a detracción is deposited: write state_bank: and the account it is deposited to")
        if given.kind == "retencion_garantia":
            if given.released_on is None:
                yield Wrong(f"{at}/released_on", "a guarantee retention needs the day on which it falls due")
            elif last_due_on is not None and given.released_on < last_due_on:
                yield Wrong(f"{at}/released_on", f"a guarantee is released after the last due date, {last_due_on}")
        elif given.released_on is not None:
            yield Wrong(f"{at}/released_on", "only a retencion_garantia is released")
    total = sum(given.amount_minor for given in deductions)
    if deductions and gross_minor and total >= gross_minor:
        yield Wrong("/deductions", f"the deductions add up to {total}: they must leave something of {gross_minor} to pay")


def of_base(base_minor: int, rate: Decimal) -> int:
    """The rate of a base in minor units, half a unit up."""
    return int((Decimal(base_minor) * rate / 100).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def _near(amount_minor: int, right_minor: int, kind: str, currency: str) -> bool:
    """Equal within one minor unit; a detracción is deposited in whole units of the currency."""
    slack = 10 ** exponent(currency) // 2 if kind == "detraccion" else 0
    return abs(amount_minor - right_minor) <= max(slack, 1)


Due = tuple[int, date, int]


def net_dues(dues: Sequence[Due], deductions: Iterable[DeductionIn]) -> tuple[Due, ...]:
    """The instalments as they are asked: each less its share of what is deducted, and the guarantee as one more, last.

    Shares follow the instalments' sums; what rounding leaves goes to the largest remainders, one minor unit each. Instalments
    and `apart` add up to the gross.
    """
    given = tuple(deductions)
    total = sum(one.amount_minor for one in given)
    if not dues or not total:
        return tuple(dues)
    gross = sum(amount for _, _, amount in dues)
    shares = [amount * total // gross for _, _, amount in dues]
    fractions = sorted(range(len(dues)), key=lambda place: (-(dues[place][2] * total % gross), place))
    for place in fractions[: total - sum(shares)]:
        shares[place] += 1
    net = [(number, on, amount - share) for (number, on, amount), share in zip(dues, shares, strict=True)]
    for one in given:
        if one.released_on is not None:
            net.append((len(net) + 1, one.released_on, one.amount_minor))
    return tuple(net)


def apart(deductions: Iterable[DeductionIn]) -> tuple[tuple[int, DeductionIn], ...]:
    """The deductions that are parts of their own, each with its number, 1, 2, 3 ..., in the order they were given."""
    return tuple((n, one) for n, one in enumerate((d for d in deductions if d.released_on is None), 1))


# -- what a gap after a payment looks like

VAT: Final[dict[str, str]] = {"CO": "19", "MX": "16", "ES": "21", "PE": "18", "EC": "15", "CL": "19", "IT": "22"}
"""The common rate by country, to find the base of a withholding inside a gross sum."""
_TABLE: Final = {
    "CO": (
        *(("retefuente", rate) for rate in ("2.5", "3.5", "4", "6", "10", "11", "1")),
        *(("reteica", rate) for rate in ("0.966", "0.69", "1.104", "0.414", "0.8", "1.38")),
    ),
    "MX": (
        ("isr_retenido", "10"), ("isr_retenido", "1.25"),
        ("iva_retenido", "10.6667"), ("iva_retenido", "6"), ("iva_retenido", "4"),
    ),
    "ES": (("irpf", "15"), ("irpf", "7"), ("irpf", "19")),
    "PE": (("detraccion", "4"), ("detraccion", "10"), ("detraccion", "12"), ("retencion_igv", "3")),
    "EC": (("ir_retenido", "1"), ("ir_retenido", "1.75"), ("ir_retenido", "2"), ("ir_retenido", "2.75"), ("ir_retenido", "10")),
    "CL": (("retencion_honorarios", "14.5"), ("retencion_honorarios", "15.25")),
    "BR": (("irrf", "1.5"), ("iss_retido", "5"), ("iss_retido", "2")),
    "IT": (("ritenuta", "20"), ("ritenuta", "4")),
}  # fmt: skip
"""Withholdings that payers commonly make, by country: kind and percent. They only make a proposal, which a person confirms."""
_GROSS_BASED: Final = frozenset({"detraccion", "retencion_igv"})
_PAIRS: Final = {
    "MX": ((("isr_retenido", "10"), ("iva_retenido", "10.6667")), (("isr_retenido", "1.25"), ("iva_retenido", "10.6667"))),
}  # fmt: skip


class Guess(NamedTuple):
    """What a gap may be: which deduction, at which rate of which base."""

    kind: str
    rate: str
    base_minor: int
    amount_minor: int


class Usual(NamedTuple):
    """What the same account deducted before."""

    kind: str
    rate: str
    base_share: Decimal
    """Its base as a share of that invoice."""


def look_like(gap_minor: int, gross_minor: int, currency: str, country: str, usual: Iterable[Usual] = ()) -> tuple[Guess, ...]:
    """The deduction, or the pair of them, that a gap equals within rounding; empty when it equals none.

    The account's own habit is tried first, then the country's common rates, of the gross and of the sum before VAT.
    """
    if not 0 < gap_minor < gross_minor:
        return ()
    for habit in usual:
        base = int((gross_minor * habit.base_share).quantize(Decimal(1), rounding=ROUND_HALF_UP))
        right = of_base(base, Decimal(habit.rate))
        if base > 0 and _near(gap_minor, right, habit.kind, currency):
            return (Guess(habit.kind, habit.rate, base, gap_minor),)
    for kind, rate in _TABLE.get(country, ()):
        for base in _bases(kind, gross_minor, country):
            if _near(gap_minor, of_base(base, Decimal(rate)), kind, currency):
                return (Guess(kind, rate, base, gap_minor),)
    for pair in _PAIRS.get(country, ()):
        base = before_vat(gross_minor, country)
        first, second = (of_base(base, Decimal(rate)) for _, rate in pair)
        if abs(first + second - gap_minor) <= 2:
            sums = (first, gap_minor - first)
            return tuple(Guess(kind, rate, base, amount) for (kind, rate), amount in zip(pair, sums, strict=True))
    return ()


def before_vat(gross_minor: int, country: str) -> int:
    """The sum before the country's common VAT."""
    rate = 1 + Decimal(VAT.get(country, "0")) / 100
    return int((gross_minor / rate).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def _bases(kind: str, gross_minor: int, country: str) -> tuple[int, ...]:
    return (gross_minor,) if kind in _GROSS_BASED or country not in VAT else (before_vat(gross_minor, country), gross_minor)
