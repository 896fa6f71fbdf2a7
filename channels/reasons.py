"""What a company's reply says of why an invoice is not paid, where it says it plainly; a person reads it all the same."""

from __future__ import annotations

import re

from channels.keywords import plain

_SAYS: tuple[tuple[str, str], ...] = (
    ("insolvent", r"(concurso de acreedores|en insolvencia|reorganizacion empresarial|recuperacao judicial|falencia|insolvency)"),
    ("tax_withheld", r"(retencion(es)?|retuvimos|detraccion|retencao|retido na fonte|withholding|withheld)"),
    (
        "not_received",
        r"(no (nos )?(ha )?llego|no (hemos )?recib(imos|ido|i) (la|su|esa) factura|nao recebemos|nao chegou|did not receive|"
        r"have not received|not received the invoice|numero de orden|orden de compra|numero do pedido|order number|po number)",
    ),
    (
        "waiting_approval",
        r"(en aprobacion|por aprobar|pendiente de aprobacion|falta (la )?aprobacion|em aprovacao|aguarda aprovacao|"
        r"awaiting approval|pending approval|waiting for approval)",
    ),
    (
        "payment_run",
        r"(corrida de pagos?|programad[oa] para|(ya )?esta programad[oa]|sale (el|en el pago)|pago programado|agendad[oa] para|"
        r"programacao de pagamento|payment run|scheduled for)",
    ),
    (
        "waiting_document",
        r"(falta(n)? (la |el |una |un )?(nota (de )?credito|certificado|complemento|documento|alta)|nota de credito|credit note|"
        r"supplier registration|carta bancaria|certificacion bancaria)",
    ),
    ("offset_or_retention", r"(compensacion|cruce de cuentas|retencion (en )?garantia|fondo de garantia|offset|retention)"),
    ("difference", r"(diferencia (de|en)|no coincide|precio (errado|incorrecto)|diferenca|does not match|price difference)"),
    ("cash_short", r"(sin liquidez|flujo de caja|falta de caixa|sem caixa|cash ?flow|short of cash)"),
)
_LONGEST = 400
"""A long letter says many things; a person finds out which counts."""


def read_reason(text: str) -> str:
    """The one company reason that a short reply names, in any of the three languages; empty where it names none or several."""
    words = plain(text)
    if not words or len(words) > _LONGEST:
        return ""
    found = [reason for reason, says in _SAYS if re.search(rf"\b{says}\b", words)]
    if "offset_or_retention" in found and "tax_withheld" in found:
        found.remove("tax_withheld" if "garantia" in words or "retention" in words else "offset_or_retention")
    return found[0] if len(found) == 1 else ""
