"""The sample portfolio: three creditors, fifteen debtors of eight countries and three languages, forty invoices.

Everybody is invented. E-mail addresses are at example.com, telephone numbers are those that their country's numbering plan gives
as an example (with other last digits), in the US those of the 555-01 range. Each debtor has a character of the simulator.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from policies.places import zone_of

STARTS = datetime(2026, 3, 2, 11, 0, tzinfo=UTC)
"""A Monday morning. Nothing depends on the machine's date."""
DAYS = 90
SEED = 7
NEVER = 10_000
"""A trait that does not happen."""


@dataclass(frozen=True)
class SampleCreditor:
    """One who is owed. `settings` are shown in messages; `gateway` is how its payments are told."""

    slug: str
    name: str
    country: str
    zone: str
    language: str
    manual: str
    gateway: str
    settings: dict[str, str]


@dataclass(frozen=True)
class Bill:
    """One invoice; days count from STARTS, and it is posted on its day of issue (or at the start, when that has passed)."""

    number: str
    issued_day: int
    due_day: int
    amount_minor: int
    instalments: int = 1


@dataclass(frozen=True)
class SampleDebtor:
    """One who owes. `salutation` is printed as it stands; `phone` serves SMS, WhatsApp and calls."""

    creditor: str
    ref: str
    character: str
    name: str
    salutation: str
    country: str
    region: str
    currency: str
    language: str
    mail: str
    phone: str = ""
    street: str = ""
    business: bool = False
    traits: dict[str, int | str] = field(default_factory=dict)
    bills: tuple[Bill, ...] = ()


CREDITORS = (
    SampleCreditor(
        "vitalia", "Vitalia Gimnasios SAS", "CO", "America/Bogota", "es", "b2c_subscription", "standard",
        {"short_name": "Vitalia", "team": "Equipo de Socios", "reply_to": "socios@vitalia.example.com",
         "address": "Carrera 15 # 88-21, Bogotá", "tax_id": "NIT 900.123.456-7"},
    ),
    SampleCreditor(
        "casa-ribera", "Casa Ribera SA de CV", "MX", "America/Mexico_City", "es", "b2c_credit", "stripe",
        {"short_name": "Casa Ribera", "team": "Equipo de Crédito", "reply_to": "credito@casaribera.example.com",
         "address": "Av. Reforma 500, Ciudad de México", "tax_id": "RFC CRI010203AB1"},
    ),
    SampleCreditor(
        "norte", "Norte Suministros SL", "ES", "Europe/Madrid", "es", "b2b_sme", "standard",
        {"short_name": "Norte", "team": "Equipo de Administración", "reply_to": "administracion@norte.example.com",
         "address": "Calle Serrano 40, Madrid", "tax_id": "NIF B12345674"},
    ),
)  # fmt: skip


def _monthly(prefix: str, first_due: int, amount_minor: int, count: int = 3) -> tuple[Bill, ...]:
    return tuple(Bill(f"{prefix}-{n + 1:02}", first_due - 10 + 30 * n, first_due + 30 * n, amount_minor) for n in range(count))


def _gym() -> Iterator[SampleDebtor]:
    yield SampleDebtor(
        "vitalia", "SOC-1001", "forgetful", "Ana Lucía Restrepo Gil", "Ana Lucía", "CO", "CO-DC", "COP", "es",
        "ana.restrepo@example.com", "+573211234501", traits={"days": 2}, bills=_monthly("V-1001", 4, 12_990_000),
    )  # fmt: skip
    yield SampleDebtor(
        "vitalia", "SOC-1002", "silent", "Camilo Ortega Ruiz", "Camilo", "CO", "CO-ANT", "COP", "es",
        "camilo.ortega@example.com", "+573211234502", bills=_monthly("V-1002", 2, 78_000_000, 2),
    )  # fmt: skip
    yield SampleDebtor(
        "vitalia", "SOC-1003", "partial", "Valentina Rojas Fuentes", "Valentina", "CL", "CL-RM", "CLP", "es",
        "valentina.rojas@example.com", "+56221234503", traits={"share_pct": 40, "days": 2, "rest": "later"},
        bills=_monthly("V-1003", 6, 32_990),
    )  # fmt: skip
    yield SampleDebtor(
        "vitalia", "SOC-1004", "promiser_breaker", "Diego Fernández Luna", "Diego", "MX", "MX-CMX", "MXN", "es",
        "diego.fernandez@example.com", "+522221234504", traits={"promise_days": 4, "pays_after_chases": 5},
        bills=_monthly("V-1004", 5, 64_900),
    )  # fmt: skip
    yield SampleDebtor(
        "vitalia", "SOC-1005", "stopper", "Mariana Souza Lima", "Mariana", "BR", "BR-SP", "BRL", "pt",
        "mariana.souza@example.com", "+5511961234505", bills=_monthly("V-1005", 9, 11_990, 2),
    )  # fmt: skip


def _shop() -> Iterator[SampleDebtor]:
    yield SampleDebtor(
        "casa-ribera", "CR-2001", "promiser_keeper", "José Hernández Soto", "José", "MX", "MX-JAL", "MXN", "es",
        "jose.hernandez@example.com", "+522221234511", traits={"promise_days": 5},
        bills=(Bill("R-2001-A", -12, 12, 500_000, 3), Bill("R-2001-B", 20, 50, 189_900)),
    )  # fmt: skip
    yield SampleDebtor(
        "casa-ribera", "CR-2002", "negotiator", "Rosa Quispe Mamani", "Rosa", "PE", "PE-LIM", "PEN", "es",
        "rosa.quispe@example.com", "+51912345612", traits={"after_chases": 2, "instalments": 2, "keeps": "all"},
        bills=(Bill("R-2002-A", -20, 3, 78_000), Bill("R-2002-B", 10, 40, 46_500)),
    )  # fmt: skip
    yield SampleDebtor(
        "casa-ribera", "CR-2003", "claims_paid", "Juliana Ferreira Alves", "Juliana", "BR", "BR-RJ", "BRL", "pt",
        "juliana.ferreira@example.com", "+5511961234513", traits={"has_paid": 1, "days": 3},
        bills=(Bill("R-2003-A", -15, 8, 89_000), Bill("R-2003-B", 25, 55, 89_000)),
    )  # fmt: skip
    yield SampleDebtor(
        "casa-ribera", "CR-2004", "wrong_number", "Martín Acosta Vera", "Martín", "AR", "AR-C", "ARS", "es",
        "martin.acosta@example.com", "+5491123456714", traits={"days": 4},
        bills=(Bill("R-2004-A", -10, 10, 18_500_000), Bill("R-2004-B", 20, 50, 18_500_000)),
    )  # fmt: skip
    yield SampleDebtor(
        "casa-ribera", "CR-2005", "charges_back", "Paula Méndez Ibarra", "Paula", "MX", "MX-NLE", "MXN", "es",
        "paula.mendez@example.com", "+522221234515", traits={"days": 2, "reversal_days": 9},
        bills=(Bill("R-2005-A", -18, 4, 349_900), Bill("R-2005-B", 30, 60, 129_900)),
    )  # fmt: skip


def _distributor() -> Iterator[SampleDebtor]:
    yield SampleDebtor(
        "norte", "NS-3001", "punctual", "Ferretería El Roble SL", "", "ES", "ES-MD", "EUR", "es", "pagos@elroble.example.com",
        business=True,
        bills=tuple(Bill(f"N-3001-{n + 1}", -8 + 15 * n, 12 + 15 * n, 124_000 + 31_550 * n) for n in range(4)),
    )  # fmt: skip
    yield SampleDebtor(
        "norte", "NS-3002", "disputer", "Lone Star Hardware LLC", "", "US", "US-TX", "USD", "en", "ap@lonestar.example.com",
        phone="+12015550132", business=True, traits={"days": 25},
        bills=(
            Bill("N-3002-1", -30, 5, 415_000), Bill("N-3002-2", -16, 14, 268_040), Bill("N-3002-3", 12, 42, 391_275),
        ),
    )  # fmt: skip
    yield SampleDebtor(
        "norte", "NS-3003", "silent", "Comercial Andina SpA", "", "CL", "CL-VS", "CLP", "es", "cuentas@andina.example.com",
        street="Av. Argentina 1450\nValparaíso", business=True,
        bills=(
            Bill("N-3003-1", -45, -12, 1_890_000), Bill("N-3003-2", -20, 10, 940_000), Bill("N-3003-3", 10, 40, 2_310_000),
            Bill("N-3003-4", 35, 65, 780_000),
        ),
    )  # fmt: skip
    yield SampleDebtor(
        "norte", "NS-3004", "bouncer", "Construfácil Materiais Ltda", "", "BR", "BR-PR", "BRL", "pt",
        "financeiro@construfacil.example.com", street="Rua das Palmeiras 88\nCuritiba", business=True, traits={"days": 3},
        bills=(Bill("N-3004-1", -25, 6, 1_240_000), Bill("N-3004-2", 5, 35, 655_000), Bill("N-3004-3", 30, 58, 810_000)),
    )  # fmt: skip
    yield SampleDebtor(
        "norte", "NS-3005", "promiser_breaker", "Distribuidora Lima Norte SAC", "", "PE", "PE-LIM", "PEN", "es",
        "tesoreria@limanorte.example.com", phone="+51912345635", business=True,
        traits={"promise_days": 10, "pays_after_chases": NEVER},
        bills=(Bill("N-3005-1", -35, -4, 980_000), Bill("N-3005-2", 8, 38, 412_500), Bill("N-3005-3", 28, 58, 1_120_000)),
    )  # fmt: skip


DEBTORS: Sequence[SampleDebtor] = (*_gym(), *_shop(), *_distributor())


def day_of(day: int) -> date:
    """A day of the sample's calendar."""
    return STARTS.date() + timedelta(days=day)


def posted_on(day: int) -> list[tuple[str, dict[str, Any]]]:
    """(creditor, invoice as it is posted) of those issued on that day of the play; day 0 brings all issued before it too."""
    return [
        (debtor.creditor, invoice_of(debtor, bill))
        for debtor in DEBTORS
        for bill in debtor.bills
        if max(bill.issued_day, 0) == day
    ]


def posting_days() -> list[int]:
    """The days on which invoices are posted."""
    return sorted({max(bill.issued_day, 0) for debtor in DEBTORS for bill in debtor.bills})


def invoice_of(debtor: SampleDebtor, bill: Bill) -> dict[str, Any]:
    """One invoice as its creditor's billing system posts it."""
    body: dict[str, Any] = {
        "number": bill.number, "currency": debtor.currency, "issued_on": day_of(bill.issued_day).isoformat(),
        "account": account_of(debtor),
    }  # fmt: skip
    if bill.instalments == 1:
        return body | {"due_on": day_of(bill.due_day).isoformat(), "amount_minor": bill.amount_minor}
    share, rest = divmod(bill.amount_minor, bill.instalments)
    parts = [
        {"number": n + 1, "due_on": day_of(bill.due_day + 30 * n).isoformat(), "amount_minor": share + (rest if n == 0 else 0)}
        for n in range(bill.instalments)
    ]
    return body | {"instalments": parts}


def account_of(debtor: SampleDebtor) -> dict[str, Any]:
    """The account as it is posted with each of its invoices."""
    channels: list[dict[str, Any]] = [{"channel": "email", "address": debtor.mail, "consent": "given"}]
    if debtor.phone:
        phone = {"address": debtor.phone, "consent": "given", "verified": True}
        channels += [{"channel": channel} | phone for channel in ("whatsapp", "sms", "voice")]
    if debtor.street:
        channels.append({"channel": "letter", "address": f"{debtor.name}\n{debtor.street}", "consent": "given"})
    contact = {
        "role": "payables" if debtor.business else "holder", "name": debtor.name, "salutation": debtor.salutation,
        "channels": channels,
    }  # fmt: skip
    return {
        "ref": debtor.ref, "kind": "business" if debtor.business else "consumer", "country": debtor.country,
        "region": debtor.region, "language": debtor.language, "contacts": [contact],
    }  # fmt: skip


def simulated(debtor: SampleDebtor, bills: Sequence[Bill], webhook: dict[str, str]) -> dict[str, Any]:
    """The debtor as the simulator registers it, with some of its bills and where its payments are told."""
    addresses = {"email": debtor.mail}
    if debtor.phone:
        addresses |= {"sms": debtor.phone, "whatsapp": debtor.phone, "voice": debtor.phone}
    if debtor.street:
        addresses["letter"] = f"{debtor.name}\n{debtor.street}"
    invoices = [
        {
            "number": bill.number, "amount_minor": bill.amount_minor, "currency": debtor.currency, "creditor": debtor.creditor,
            "due_on": day_of(bill.due_day).isoformat(), "payment_webhook": webhook,
        }
        for bill in bills
    ]  # fmt: skip
    return {
        "ref": debtor.ref, "character": debtor.character, "seed": SEED, "language": debtor.language,
        "zone": zone_of(debtor.country, debtor.region.partition("-")[2]), "addresses": addresses, "traits": debtor.traits,
        "invoices": invoices,
    }  # fmt: skip
