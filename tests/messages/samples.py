"""Values that stretch the texts: short and long names, big sums, many lines, every sign of money, offers, no salutation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from messages.render import Line, MessageValues


@dataclass(frozen=True)
class Terms:
    extension_days_max: int | None = None
    instalments_max: int | None = None
    first_share_min_pct: int | None = None
    discount_max_pct: int | None = None
    discount_days: int | None = None


FULL_OFFER: Final = Terms(10, 3, 20, 15, 10)

ANA: Final = MessageValues(
    creditor_name="Gimnasio Andes S.A.S.",
    creditor_short="Gimnasio Andes",
    team="Equipo de Cobranza",
    country="CO",
    salutation="Ana María",
    invoice_number="F-1042",
    issued_on=date(2026, 5, 20),
    due_on=date(2026, 6, 12),
    amount_minor=15_000_000,
    currency="COP",
    today=date(2026, 6, 25),
    pay_url="https://pagos.gimnasioandes.co/p/AbCdEfGhIj",
    answer_url="https://pagos.gimnasioandes.co/p/AbCdEfGhIj/r",
    stop_url="https://pagos.gimnasioandes.co/p/AbCdEfGhIj/b",
    reply_to="cuentas@gimnasioandes.co",
    agreement_date=date(2026, 7, 3),
    agreement_amount_minor=5_000_000,
)

TWELVE: Final = tuple(
    Line(invoice_number=f"FV-{2000 + n}", due_on=date(2026, 1 + n // 3, 1 + 2 * n), amount_minor=100_00 * (n + 1))
    for n in range(12)
)

SAMPLES: Final = {
    "a consumer in pesos": ANA,
    "first contact with an offer and nobody's name": replace(
        ANA, salutation="", first_contact=True, offer=FULL_OFFER, issued_on=None, reply_to=""
    ),
    "the shortest names there are": replace(
        ANA, creditor_name="Brío", creditor_short="", invoice_number="1", salutation="", team="Pagos", pay_url="https://b.co/p/AbCdEfGhIj"
    ),
    "a big sum in reais with twelve lines": replace(
        ANA, country="BR", currency="BRL", amount_minor=780_000_00, amount_total_minor=1_234_567_89, lines=TWELVE
    ),
    "dollars with interest, costs and an offer until a date": replace(
        ANA, country="US", currency="USD", amount_minor=123_456_78, interest_minor=345_67, costs_minor=40_00,
        offer=Terms(instalments_max=6, first_share_min_pct=20), offer_until=date(2026, 7, 10), action_on=date(2026, 7, 20),
    ),
    "Chilean pesos in instalments": replace(
        ANA, country="CL", currency="CLP", amount_minor=1_250_990, instalment_number=2, instalments_count=6
    ),
    "euros across the turn of a year": replace(
        ANA, country="ES", currency="EUR", amount_minor=49_90, due_on=date(2025, 6, 12), issued_on=date(2025, 5, 12),
        check_url="https://brill.es/mensajes", phone="+34 910 555 010",
    ),
    "two lines and a discount": replace(
        ANA, country="AR", currency="ARS", lines=TWELVE[:2], amount_total_minor=300_00,
        offer=Terms(discount_max_pct=20, discount_days=10),
    ),
}  # fmt: skip

SPEAKERS: Final = (("es", "tu"), ("es", "usted"), ("es", "vos"), ("pt", "voce"), ("en", "none"))
