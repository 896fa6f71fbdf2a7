"""An invoice as a billing system posts it: what is checked in it, and the form in which the ledger stores it.

`policies.intake_model` checks the shape. `read_invoice` checks the sense (telephone numbers of their country, sums of
instalments, zones) and fills what may be left out. Problems name the place as a JSON pointer and never repeat a value: it may
be a person's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Any, NamedTuple

from babel.core import get_global

from policies import deductions as short
from policies import indexed
from policies.account_model import links_of, who_terms, wrong_with
from policies.addresses import BadAddress, clean_address, is_personal_ref
from policies.carried import CarriedIn, wrong_in
from policies.due_terms import TermsTable
from policies.greeting import bare_salutation, plain_register, why_not_salutation
from policies.intake_model import AccountIn, ContactIn, InvoiceIn
from policies.papers import NO_PAPERS, Papers, read_papers
from policies.places import UnknownZone, default_language, known_zones, plain_region, zone_of, zone_of_phone, zones_of_countries
from policies.terms import Channel

_FIRST_DAY, _LAST_DAY = date(1990, 1, 1), date(2100, 1, 1)


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong at one place of a document; `pointer` is a JSON pointer."""

    pointer: str
    detail: str


class Unreadable(ValueError):
    """The document has the right shape and makes no sense; carries every problem found, not only the first."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(f"{p.pointer}: {p.detail}" for p in problems))
        self.problems = problems


class Way(NamedTuple):
    """One address, in canonical form."""

    channel: Channel
    address: str
    consent: str
    consent_at: datetime | None
    proof: str
    verified: bool
    verified_at: datetime | None = None


class Person(NamedTuple):
    """One contact of the account."""

    role: str
    name: str
    salutation: str
    language: str
    ways: tuple[Way, ...]


class Debtor(NamedTuple):
    """What an invoice says of its account, with everything filled in, and what is wrong with it."""

    region: str
    zone: str
    language: str
    register: str
    people: tuple[Person, ...]
    ref_is_personal: bool
    links: tuple[tuple[str, str], ...]
    terms: dict[str, Any]
    wrong: tuple[Problem, ...]


class Intake(NamedTuple):
    """An invoice that makes sense, with everything filled in. `dues` are (number, due date, minor units)."""

    number: str
    currency: str
    issued_on: date
    dues: tuple[tuple[int, date, int], ...]
    ref: str
    ref_is_personal: bool
    kind: str
    country: str
    region: str
    zone: str
    zone_given: str
    language: str
    register: str
    manual: str | None
    account_patch: dict[str, Any] | None
    terms: dict[str, Any]
    """What law packs and preferences need of the account: only what was given, and the zones that are in doubt."""
    invoice_patch: dict[str, Any] | None
    people: tuple[Person, ...]
    place: str
    place_region: str
    carried: CarriedIn | None = None
    deductions: tuple[short.DeductionIn, ...] = ()
    payment_currency: str = ""
    links: tuple[tuple[str, str], ...] = ()
    """The accounts that this one hangs on, as (link, ref)."""
    papers: Papers = NO_PAPERS


@cache
def known_currencies() -> frozenset[str]:
    """ISO 4217 codes that are legal tender somewhere today."""
    today = get_global("territory_currencies")
    tenders = frozenset(code for rows in today.values() for code, _start, end, tender in rows if tender and end is None)
    return tenders | indexed.INDEX_CODES


def read_account(account: AccountIn) -> Debtor:
    """The account in the form the ledger stores; its problems are noted in it, not raised."""
    wrong: list[Problem] = []
    region = plain_region(account.country, account.region)
    language = (account.language or default_language(account.country))[:2]
    people = tuple(_person(contact, i, account, language, wrong) for i, contact in enumerate(account.contacts))
    zone = _zone(account, region, people, wrong)
    register = _who(account, wrong)
    if wrong:
        return Debtor(region, zone, language, register, people, False, (), {}, tuple(wrong))
    personal = account.ref_is_personal
    if personal is None:
        personal = is_personal_ref(account.ref, account.kind, account.country)
    terms = _terms(account, region, zone, people)
    return Debtor(region, zone, language, register, people, personal, links_of(account), terms, ())


def read_invoice(
    body: InvoiceIn,
    *,
    creditor_country: str,
    terms: TermsTable | None = None,
    account_of: Callable[[AccountIn], Debtor] = read_account,
) -> Intake:
    """The invoice in the form the ledger stores, `terms` being the creditor's; raises Unreadable with every problem.

    A batch gives an `account_of` that remembers what it has read.
    """
    wrong: list[Problem] = []
    body = _in_its_unit(body, wrong)
    if body.currency not in known_currencies():
        wrong.append(Problem("/currency", f"{body.currency} is not a currency in use (ISO 4217)"))
    if not _FIRST_DAY <= body.issued_on <= _LAST_DAY:
        wrong.append(Problem("/issued_on", f"the date must lie between {_FIRST_DAY} and {_LAST_DAY}"))
    place = body.place_of_payment or creditor_country
    given_dues, papers = read_papers(body, place=place, table=terms, say=lambda at, what: wrong.append(Problem(at, what)))
    dues = _net(body, _dues(body, wrong) if given_dues is None else given_dues, wrong)
    account = body.account
    debtor = account_of(account)
    wrong += debtor.wrong
    if place[:2] not in zones_of_countries():
        wrong.append(Problem("/place_of_payment", f"{place[:2]} is not an ISO 3166 country code such as CO, MX or ES"))
    if body.carried is not None:
        told = wrong_in(body.carried, sum(amount for _, _, amount in dues), body.issued_on)
        wrong += [Problem(f"/carried/{member}", what) for member, what in told]
    if wrong:
        raise Unreadable(wrong)
    return Intake(
        number=body.number, currency=body.currency, issued_on=body.issued_on, dues=dues, ref=account.ref,
        ref_is_personal=debtor.ref_is_personal, kind=account.kind.value, country=account.country, region=debtor.region,
        zone=debtor.zone, zone_given=account.zone or "", language=debtor.language, register=debtor.register, links=debtor.links,
        manual=account.manual, account_patch=account.manual_patch or None, terms=debtor.terms,
        invoice_patch=body.manual_patch or None, people=debtor.people, place=place[:2], place_region=place[3:],
        carried=body.carried, deductions=body.deductions,
        payment_currency=indexed.payment_currency_of(body.currency, body.payment_currency), papers=papers,
    )  # fmt: skip


def _in_its_unit(body: InvoiceIn, wrong: list[Problem]) -> InvoiceIn:
    """A debt that is counted in an index stands in the ledger in that index's own unit."""
    paid_in = body.payment_currency
    if paid_in is not None and (paid_in not in known_currencies() or paid_in in indexed.INDEX_CODES):
        wrong.append(Problem("/payment_currency", f"{paid_in} is not a currency that can be paid (ISO 4217)"))
    if body.index is None:
        if body.currency in indexed.INDEX_CODES and paid_in not in (None, indexed.payment_currency_of(body.currency, None)):
            wrong.append(Problem("/payment_currency", f"{body.currency} is paid in the currency of its country"))
        return body
    try:
        units = indexed.in_units(body.index.units, body.index.code)
    except ValueError as error:
        wrong.append(Problem("/index", str(error)))
        return body
    unit = indexed.UNITS[body.index.code]
    if body.currency != unit.paid_in or paid_in not in (None, unit.paid_in):
        wrong.append(Problem("/currency", f"{unit.name} is paid in {unit.paid_in}"))
    if body.amount_minor is not None or body.instalments:
        wrong.append(Problem("/index", f"with index give due_on alone; for instalments write currency {unit.code}"))
    if units <= 0:
        wrong.append(Problem("/index/units", "the sum is above 0"))
    return body.model_copy(update={"index": None, "currency": unit.code, "amount_minor": units, "payment_currency": unit.paid_in})


def _net(body: InvoiceIn, dues: tuple[tuple[int, date, int], ...], wrong: list[Problem]) -> tuple[tuple[int, date, int], ...]:
    """The instalments less what is deducted, which stands beside them."""
    gross_minor = sum(amount for _, _, amount in dues)
    found = list(short.findings(body.deductions, gross_minor, body.currency, max((on for _, on, _ in dues), default=None)))
    wrong += [Problem(one.pointer, one.detail) for one in found]
    return dues if found else short.net_dues(dues, body.deductions)


def later_terms(zone: str, terms: dict[str, Any], later: Intake) -> dict[str, Any]:
    """The terms of a known account in `zone` after a later invoice of it: what was not known is added, nothing is overwritten.

    Zones add up: a later invoice that points elsewhere leaves the place in doubt.
    """
    zones = sorted({*terms.get("zones", ()), *later.terms.get("zones", ()), later.zone} - {zone})
    after = {**later.terms, **terms}
    return after | {"zones": zones} if zones else after


def check_dues(dues: tuple[tuple[int, date, int], ...], issued_on: date, at: str, wrong: list[Problem]) -> None:
    """Note what is wrong with the numbers and dates of instalments; `at` is the pointer of their list."""
    if any(number != place for place, (number, _, _) in enumerate(dues, 1)):
        wrong.append(Problem(at, "instalments are numbered 1, 2, 3 ... in their order"))
    if len(dues) > 1 and any(later[1] < earlier[1] for earlier, later in zip(dues, dues[1:], strict=False)):
        wrong.append(Problem(at, "an instalment is due before the one that precedes it"))
    for index, (_, due_on, _) in enumerate(dues):
        place = at if len(dues) == 1 else f"{at}/{index}/due_on"
        if (issued_on - due_on).days > 366:
            wrong.append(Problem(place, "due more than a year before it was issued: are the two dates exchanged?"))
        elif (due_on - issued_on).days > 3660:
            wrong.append(Problem(place, "due more than ten years after it was issued: is the year right?"))


def _dues(body: InvoiceIn, wrong: list[Problem]) -> tuple[tuple[int, date, int], ...]:
    if body.instalments:
        dues = tuple((i.number, i.due_on, i.amount_minor) for i in body.instalments)
        total = sum(amount for _, _, amount in dues)
        if body.due_on is not None:
            wrong.append(Problem("/due_on", "give either due_on and amount_minor, or instalments"))
        if body.amount_minor is not None and body.amount_minor != total:
            wrong.append(Problem("/amount_minor", f"the instalments add up to {total}, not to {body.amount_minor}"))
        check_dues(dues, body.issued_on, "/instalments", wrong)
        return dues
    if body.due_on is None or body.amount_minor is None:
        if body.terms and body.amount_minor is not None:
            return ()  # what is wrong with the terms is said already
        missing = "/due_on" if body.due_on is None else "/amount_minor"
        wrong.append(Problem(missing, "give due_on and amount_minor, or instalments"))
        return ()
    due = ((1, body.due_on, body.amount_minor),)
    check_dues(due, body.issued_on, "/due_on", wrong)
    return due


def _who(account: AccountIn, wrong: list[Problem]) -> str:
    """The register, once what is said of the account makes sense."""
    wrong_with(account, account.ref, account.kind, lambda at, what: wrong.append(Problem(at, what)))
    try:
        return plain_register(account.treatment)
    except ValueError as bad:
        wrong.append(Problem("/account/register", str(bad)))
        return ""


def _person(contact: ContactIn, index: int, account: AccountIn, language: str, wrong: list[Problem]) -> Person:
    ways: list[Way] = []
    for place, given in enumerate(contact.channels):
        try:
            address = clean_address(given.channel, given.address, account.country)
        except BadAddress as bad:
            wrong.append(Problem(f"/account/contacts/{index}/channels/{place}/address", str(bad)))
            continue
        known = given.verified or given.verified_at is not None
        ways.append(Way(given.channel, address, given.consent, given.consent_at, given.proof, known, given.verified_at))
    salutation = bare_salutation(contact.salutation)
    if why := why_not_salutation(salutation):
        wrong.append(Problem(f"/account/contacts/{index}/salutation", why))
    return Person(contact.role, contact.name.strip(), salutation, (contact.language or language)[:2], tuple(ways))


def doubtful_zones(country: str, region: str, zone: str, phones: Iterable[str]) -> list[str]:
    """Zones beside `zone` that the region or a telephone (E.164) points to: the time must suit them all while it is in doubt."""
    try:
        derived = zone_of(country, region)
    except UnknownZone:
        derived = None
    found = {derived, *(zone_of_phone(country, phone) for phone in phones)}
    return sorted(other for other in found if other and other != zone)


def _terms(account: AccountIn, region: str, zone: str, people: tuple[Person, ...]) -> dict[str, Any]:
    phones = (way.address for person in people for way in person.ways if way.address.startswith("+"))
    wants = account.preferences
    terms = {
        "city": account.city.strip(),
        "debt_type": account.debt_type,
        "loan_type": account.loan_type,
        "notice_sent": account.notice_sent_on.isoformat() if account.notice_sent_on else None,
        "zones": doubtful_zones(account.country, region, zone, phones),
        "hours": list(wants.hours) if wants and wants.hours else None,
        "channel": wants.channel.value if wants and wants.channel else None,
        **who_terms(account),
    }
    return {name: value for name, value in terms.items() if value}


def _zone(account: AccountIn, region: str, people: tuple[Person, ...], wrong: list[Problem]) -> str:
    try:
        derived = zone_of(account.country, region)
    except UnknownZone as unknown:
        if account.zone is None or unknown.part == "country":
            wrong.append(Problem(f"/account/{unknown.part}", str(unknown)))
            return ""
        derived = None
    if account.zone is not None:
        if account.zone not in known_zones():
            wrong.append(Problem("/account/zone", f"{account.zone!r} is not an IANA time zone such as America/Bogota"))
        return account.zone
    if derived is None:
        phones = (way.address for person in people for way in person.ways if way.address.startswith("+"))
        derived = next((zone for zone in (zone_of_phone(account.country, p) for p in phones) if zone), None)
    if derived is None:
        wrong.append(
            Problem("/account/region", f"{account.country} has several time zones: give the region (ISO 3166-2), or account.zone")
        )
    return derived or ""
