"""What the headers of receivables lists call each thing, in Spanish, Portuguese and English."""

from __future__ import annotations

import re

from policies.sheet import fold

WORDS: dict[str, tuple[str, ...]] = {
    "invoice": (
        r"(n(o|ro|um|umero|°|º)?\.? ?(de )?)?(factura|fatura|invoice|nota fiscal|nf-?e?|documento|doc|folio|titulo"
        r"|duplicata|comprobante"
        r"|boleta|cfdi|recibo)( (n(o|ro|umero|um|°|º)?|number|numero|no|id|#|nº)\.?)?",
        r"(numero|number|num|no|nro|n°|nº|n|#|id|serie y numero|serie-numero|serie/numero|referencia|ref|reference"
        r"|ar ?id|invoice ?id"
        r"|invoice ?(number|no)|document ?(number|no)|doc ?(number|no|id))\.?",
    ),
    "debtor": (
        r"(cod(igo)?\.? ?(de )?)?(cliente|customer|deudor|client|tercero|comprador|tomador|sacado|adquirente)"
        r"( (id|no|n|number|numero|code|cod|codigo|#|n°|nº|ref))?\.?",
        r"(cod(igo)?\.? ?(de )?)?(cuenta|account)( (id|no|n|number|numero|code|cod|codigo|#|n°|nº|ref))?\.?",
        r"(id|numero|no|n°|nº)\.? (de |del )?(cliente|customer)",
        r"(customer|client|cliente|account|cust)[ _-]?(id|no|number|code|ref)",
    ),
    "tax_number": (
        r".*\b(nit|rut|cnpj|cpf|cuit|rfc|nif|cif|ruc|rif|identificacion|cedula|tax id|vat( number| id)?|dni|id fiscal"
        r"|numero de identificacion|cpf/cnpj|cnpj/cpf)\b.*",
    ),
    "name": (
        r"(nombre|razon social|nombre (o|y|/) razon social|nome|nombre (del |de )?cliente|nome (do |de )?cliente|razao social"
        r"|customer name|client name|company( name)?|name|denominacion( social)?|empresa|nombre/razon social|nombre tercero)",
    ),
    "issued_on": (
        r"((fecha|data|date|f|fec)\.? ?(de |da |del |of )?)(emision|emissao|factura(cion)?|fatura|issue|invoice"
        r"|documento|doc|expedicion|elaboracion|creacion|contabilizacion"
        r"|document)",
        r"(emision|emissao|emitida|emitido|issued( on)?|issue date|invoice ?date|document ?date|billing date|fecha|data|date|dt"
        r"|f\.? ?emision|dt\.? ?emissao|expedicion)\.?",
    ),
    "due_on": (
        r"((fecha|data|date|f|fec|dt)\.? ?(de |do |del )?)?(vencimiento|vencimento|vence|vcto|vto|venc|vence el"
        r"|due)\.?( date| on)?",
        r"(due ?date|due ?on|due in date|payment due|maturity( date)?|fecha limite( de pago)?|pagar antes de|pagadero el)",
    ),
    "terms": (
        r"((condicion(es)?|condicoes|condicao|termino?s?|termos?|plazo|prazo|payment|credit) ?(de |do |del )?)"
        r"(pago|pagamento|credito|payment|terms?|cobro|dias)( \(?dias\)?)?",
        r"(terms?|plazo|prazo|dias (de )?(credito|plazo|prazo)|credit days|net days)",
    ),
    "received_on": (
        r"((fecha|data|date)\.? ?(de |da |of )?)(recepcion|recebimento|receipt|radicacion|radicado|acuse)( (factura|invoice))?",
        r"(recibida el|radicada el|received ?by ?customer)",
    ),
    "amount": (
        r"(importe|valor|monto|total|amount|montante|valor total|importe total|monto total|total factura"
        r"|valor factura|valor original"
        r"|importe original|monto original|original amount|invoice ?amount|total amount|valor (do|da) (titulo|documento|nota)"
        r"|(amount|importe) (in|en) (doc\.?|document|local|mon\.? ?(doc\.?|local)?)( (curr\.?|currency))?"
        r"|vlr\.? ?titulo|valor (do )?titulo"
        r"|valor documento|vlr\.? ?(total|factura|documento)?|amount due|importe factura|net amount|neto|bruto"
        r"|gross)( \(?[a-z]{3}\)?)?",
    ),
    "balance": (
        r"(saldo|balance|outstanding|pendiente|por cobrar|adeudado|open ?(amount|balance)?|saldo (pendiente|actual"
        r"|abierto|por cobrar"
        r"|factura|cartera|devedor|em aberto)|(importe|monto|valor|total) (pendiente|abierto|adeudado|em aberto"
        r"|a receber|por cobrar)"
        r"|amount (open|outstanding|due)|outstanding (amount|balance)|remaining|em aberto|a receber|total ?open ?amount"
        r"|balance due|saldo total)( \(?[a-z]{3}\)?)?",
    ),
    "series": (r"(serie|series|prefijo|prefixo|prefix)( (de |da |del )?(factura|fatura|documento|nota|titulo))?",),
    "withheld": (
        r"((valor|importe|monto|total) ?(de |da )?)?(retencion(es)?|retenido|retido|retencoes|withheld|withholding( tax)?"
        r"|rete ?-?fuente|rete ?-?iva|rete ?-?ica|retencion en la fuente|irpf|isr retenido|iss retido|irrf|ritenuta)",
    ),
    "withheld_kind": (r"(tipo|clase|concepto) (de )?(retencion|deduccion|retencao)|(withholding|deduction) type",),
    "currency": (r"(moneda|moeda|currency|divisa|mon|curr|cur|ccy|invoice currency)\.?",),
    "country": (r"(pais|country)",),
    "region": (r"(region|departamento|estado/provincia|provincia|uf|state)",),
    "email": (
        r".*\b(correo|correos|e-?mails?|mail|correo electronico)\b.*",
    ),
    "sms": (r".*\b(celular|celulares|movil|moviles|mobile|cel|sms)\b.*",),
    "whatsapp": (r".*\b(whatsapp|wsp|wa)\b.*",),
    "voice": (r".*\b(telefono|telefonos|telefone|phone|tel|fono|fijo)\b.*",),
    "letter": (r"(direccion|domicilio|endereco|address|mailing address|postal address)",),
    "settled_on": (
        r"((fecha|data|date|dt)\.? ?(de |do |del )?)(pago|cobro|pagamento|recaudo|payment|received|cancelacion|baixa)",
        r"(paid ?on|paid ?date|payment ?date|received ?date|clear ?date|settled( ?on| ?date)?|pagada el|fecha pagado)",
    ),
    "applies_to": (r"(aplica a|factura (afectada|relacionada|asociada|original)|documento (afectado|relacionado"
        r"|referencia)|applies to"
                   r"|reference document|doc\.? ?(afectado|ref))",),
    "last_contact_on": (
        r"(fecha )?(de )?(ultima|ultimo|last) ?(gestion|contacto|contact|llamada|aviso|recordatorio|reminder|contato|cobranza)"
        r"( date| on)?",
    ),
    "last_contact_channel": (r"(canal|channel|medio)( (de )?(ultima|ultimo) (gestion|contacto))?", r"(last contact )channel"),
    "stage": (r"(etapa|stage|nivel|recordatorios( enviados)?|reminders( sent)?|dunning ?level|avisos( enviados)?|n.? de avisos"
              r"|nivel de (dunning|reclamacion)|lembretes( enviados)?)",),
    "promised_on": (r"(fecha )?(de |del )?(promesa|compromiso|promise|promessa|promised)( (de )?(pago|date|on|pagamento))?",),
    "promised_minor": (r"(valor|monto|importe) (de |del )?(la )?(promesa|compromiso|prometido|promessa)|promised amount",),
    "disputed": (r"(disputa|disputada|en disputa|reclamo|dispute|disputed|disputa motivo|motivo (de )?(disputa|reclamo))",),
    "hold_until": (r"((en )?(espera|pausa|suspendid[ao]|bloquead[ao]) hasta|hold ?until|no cobrar hasta|on hold until)",),
    "hold_reason": (r"(motivo|razon) (de )?(la )?(espera|pausa|bloqueo)|hold ?reason",),
}  # fmt: skip
"""Each pattern stands for a whole header in small letters without accents; the first target that fits best is taken."""

_COMPILED = {target: tuple(re.compile(pattern) for pattern in patterns) for target, patterns in WORDS.items()}


def split_words(header: str) -> str:
    """`InvoiceDate` and `due_in_date` as words."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", header.strip())
    return re.sub(r"[_\s]+", " ", spaced)


def targets_of(header: str) -> dict[str, int]:
    """What a header can mean, each with how well it fits: 3 the first words for it, 2 others, and 1 when only its end does."""
    texts = [fold(split_words(header)).strip(" :.*"), fold(header).strip(" :.*")]
    found: dict[str, int] = {}
    for target, patterns in _COMPILED.items():
        for rank, pattern in enumerate(patterns):
            if any(pattern.fullmatch(text) for text in texts if text):
                found[target] = max(found.get(target, 0), 3 - min(rank, 1))
    if not found and " " in texts[0]:  # two lines of a header, or a group's name before the column's own
        tail = texts[0].split(" ", 1)[1]
        found = dict.fromkeys((t for t, patterns in _COMPILED.items() if any(p.fullmatch(tail) for p in patterns)), 1)
    return found
