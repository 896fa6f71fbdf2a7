"""Terms of payment as people write them, in Spanish, Portuguese and English: `Net 45`, `60 días fin de mes`, `30/60/90`.

What is read is only what is certain. A discount without its net part, a penalty, a method of payment or an unknown word leaves
the text unread, so that the date is asked for and not guessed.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from pydantic import ValidationError

from policies.due_terms import Base, Part, TermRule, TermsTable, UnknownTerm

_DAY = r"(?:dias?|days?|d|tagen?)"
_MONTH = r"(?:mes(?:es)?|months?|monate?n?)"
_AND = r"(?:\s*(?:,|/|-|;|\by\b|\be\b|\band\b)\s*)"
_ONE = {"un": 1, "uno": 1, "una": 1, "um": 1, "uma": 1, "one": 1, "a": 1, "two": 2, "dos": 2, "dois": 2, "three": 3, "tres": 3}
_NOISE = frozenset(
    """
    a al ao as contar credit credito condicion condiciones condicao condicoes da das date de del desde do dos due el em en fecha
    data factura fatura emision emissao expedicion invoice invoices from fixed fijo fijos calendar corridos naturales neto net
    netto liquido netos la los nos o of on pago pagos pagamento pagadero pagar payable pay payment payments plazo por prazo
    strictly term terms termos the to vence vencimiento vencimento within zahlbar innerhalb ff fdf ddl plazos issue after
    despues partir apos nota fiscal boleto transferencia bancaria cheque pix transfer bank sepa wire liquidos calendario
    """.split()
)
_AT_ONCE = re.compile(
    r"\b(?:contado|a vista|avista|a la vista|pago inmediato|pagamento imediato|cash|immediate(?:ly)?|due now|sofort)\b"
)
_ON_RECEIPT = re.compile(r"\b(?:(?:due |payable )?(?:up)?on receipt|a la recepcion|contra entrega|no recebimento|cod)\b")
_DISCOUNT = re.compile(r"discount|descuento|desconto|skonto|pronto pago|\bdto\b|rabatt|early payment")
_PENALTY = re.compile(r"penal|interes|interest|\bmora\b|juros|multa|verzug|late fee|recargo")
_NET = re.compile(r"\bnet(?:o|to)?\b|\bliquido\b|sin descuento|\bohne abzug\b|\bn\s*/?\s*\d")
_AFTER_END = re.compile(
    rf"\b(\d{{1,3}})\s*{_DAY} (?:after|following|despues de|apos)(?: el| o| the)?"
    r" (fin de mes|fim do mes|end of (?:the )?month)\b"
)
_ABOUT_DAYS = re.compile(rf"\d\s*{_DAY}\b|\b{_DAY}\s+\d|\bpag(?:o|os|amento|amentos)\b.*\d")
_CODE_OF_TABLE = re.compile(r"0\d+|-\s*\d.*")
"""A row of somebody's table, or a number below 0: no number of days."""
_END = re.compile(
    r"\bfin(?:al)?(?: de(?:l)?)? mes\b|\bfim d[eo] mes\b|\bend of (?:the )?month\b|\beom\b|\bfm\b|\bfdm\b|\bmes vencido\b"
)
_OUT_OF_MONTH = re.compile(r"\b(?:fora (?:o )?mes|dfm|fora mes)\b")
_FROM_RECEIPT = re.compile(
    r"\b(?:(?:from|after|desde|a partir de|a contar de|de|da|do|fecha(?: de)?)\s+)?(?:la |el |the |date of )*"
    r"(?:recepcion|radicacion|recibo de factura|receipt|recebimento|reception|recepcao|delivery|entrega)"
    r"(?:\s+(?:de la factura|of invoice|da nota))?\b"
)
_FROM_ACCEPTANCE = re.compile(r"\b(?:aceptacion|acceptance|aceite|conformidad|aceitacao)\b")
_PAY_DAYS = re.compile(
    r"(?:\b(?:pago|pagos|pagando|paid|pay|payment|pagamento)?\s*(?:on |en |em )?(?:los |el |os |o |the )?(?:dias?|days?)"
    r"(?: de pago| de pagamento| fijos?| of payment)?|\bpay(?:ment)? days?|\bpag(?:os|amentos))\s+"
    rf"((?:\d{{1,2}})(?:{_AND}\d{{1,2}})*)(?:\s+(?:de|of|do) (?:cada |each |every |the )?(?:mes|month))?"
)
_LIST = re.compile(rf"^(?:a |net )?(\d{{1,3}}(?:{_AND}\d{{1,3}})+)\s*(?:{_DAY}|ddl)?$")
_SHARE = re.compile(
    rf"(\d{{1,3}}(?:[.,]\d{{1,4}})?)\s*%\s*([a-z ]*?)\s*(?:(\d{{1,3}})\s*{_DAY}\b|(\d{{1,2}}|[a-z]+)\s+{_MONTH}\b|"
    r"(contado|a vista|prepaid|anticipo|anticipad[oa]|adelantad[oa]|antecipad[oa]|on order|upfront))"
)
_PREPAID = re.compile(r"prepaid|anticip|adelantad|antecipad|on order|upfront")
_EARLY = re.compile(r"(\d{1,2}(?:[.,]\d+)?)\s*(?:%?\s*/|%)\s*(\d{1,3})\s*,?\s*(?=n(?:et)?\b|n\s*/?\s*\d)")
_ISO = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b")
_DOTTED = re.compile(r"\b(\d{1,2})\.(\d{1,2})\.(\d{4})\b")
_SLASHED = re.compile(
    r"\b(?:hasta(?: el)?|ate(?: o dia)?|vence(?: el| em)?|vencimiento|vencimento)\s+(\d{1,2})/(\d{1,2})/(\d{4})\b"
)
_CODES = {"pue": TermRule(end_of_month=True), "1": TermRule()}
"""Mexico's PUE is paid in one sum by the end of the month of issue (CFDI, Anexo 20); PPD says only that it is paid later. In
Colombia's e-invoices 1 is paid at once and 2 on credit."""
_WITH_ITS_NAME = re.compile(r"(pue|ppd)\s*[-:]\s*pago en .*")
_SAYS_NOTHING = frozenset({"ppd", "credito", "credit", "a credito", "on credit", "a prazo", "2", "otros", "other"})


class Known(NamedTuple):
    """A rule and the name under which it is kept: the creditor's code, or the text as it was read."""

    rule: TermRule
    name: str


def rule_for(text: str, table: TermsTable) -> Known:
    """The rule of a code of the table, else of a common text. Raises UnknownTerm."""
    named = table.rule_of(text)
    if named is not None:
        return Known(named, text.strip())
    read = read_terms(text)
    if read is None:
        raise UnknownTerm(
            "this term of payment is not known: write it as 'Net 45', '60 días fin de mes' or '30/60/90', give the due date, or"
            " add the code to the creditor's table"
        )
    return Known(read, " ".join(text.split())[:60])


def read_terms(text: str) -> TermRule | None:
    """The rule that a common text means; None when it says no day, or nobody could be sure."""
    plain = _plain(text)
    named = _WITH_ITS_NAME.fullmatch(plain)
    plain = named[1] if named else re.sub(r"^(\d+)\.0$", r"\1", plain)
    if not plain or plain in _SAYS_NOTHING or _CODE_OF_TABLE.fullmatch(plain):
        return None
    if plain in _CODES:
        return _CODES[plain]
    plain = re.sub(r"\bnet(?=\d)", "net ", _EARLY.sub("", plain))
    plain = re.sub(r"\bf\s*[./]\s*f\b\.?", "ff", plain)
    plain = _AFTER_END.sub(r"\2 + \1 days", plain)
    shares = _shares(plain)
    if shares is not None:
        return shares
    clauses = [c.strip() for c in re.split(r"[\n;]|\.(?!\d)|,(?=\s*[a-z])|,(?=\s*\d+\s*%)", plain) if c.strip()]
    if _DISCOUNT.search(plain) or ("%" in plain and not _PENALTY.search(plain)):
        clauses = [part.strip() for c in clauses for part in c.split(",")]
        clauses = [c for c in clauses if _NET.search(c) and not _DISCOUNT.search(c) and "%" not in c]
    elif _PENALTY.search(plain):
        clauses = [c for c in clauses if not _PENALTY.search(c)]
    rules = [rule for rule in (_clause(c) for c in ([", ".join(clauses)] if clauses else [])) if rule is not None]
    if not rules:
        each = [(_clause(c), c) for c in clauses]
        if any(rule is None and _ABOUT_DAYS.search(c) for rule, c in each):
            return None  # it says more about days than was understood
        rules = [rule for rule, _ in each if rule is not None]
    return rules[0] if len(rules) == 1 else None


def _plain(text: str) -> str:
    flat = unicodedata.normalize("NFKD", text.casefold())
    flat = "".join(c for c in flat if not unicodedata.combining(c))
    return "\n".join(" ".join(line.split()) for line in flat.splitlines() if line.strip()).strip(" .:;")


def _shares(plain: str) -> TermRule | None:
    """`40 % 30 días, 60 % 60 días`; what was paid in advance is no instalment any more."""
    if plain.count("%") < 2 or _DISCOUNT.search(plain) or _PENALTY.search(plain):
        return None
    found = [*_SHARE.finditer(plain)]
    if len(found) != plain.count("%"):
        return None
    parts: list[tuple[Decimal, dict[str, int]]] = []
    for one in found:
        share = Decimal(one[1].replace(",", "."))
        if one[5] and _PREPAID.search(one[5]):
            continue
        if one[4]:
            months = int(one[4]) if one[4].isdigit() else _ONE.get(one[4])
            if months is None:
                return None
            parts.append((share, {"months": months}))
        else:
            parts.append((share, {"days": int(one[3] or 0)}))
    total = sum((share for share, _ in parts), Decimal(0))
    if not parts or total <= 0:
        return None
    if len(parts) == 1:
        return _rule(**parts[0][1])
    if total != 100:
        return None
    return _rule(parts=tuple(Part(pct=share, **after) for share, after in parts))


def _clause(given: str) -> TermRule | None:
    """One statement, with what it says of base, month end and days of payment taken out before the number of days is read."""
    text = given.strip(" .,:")
    more: dict[str, Any] = {}
    text, base = _base_of(text)
    if base is not None:
        more["base"] = base
    paying = _PAY_DAYS.search(text)
    if paying and not re.search(rf"\d\s*$|\d\s*{_AND}?$", text[: paying.start()].rstrip()):
        days = [int(n) for n in re.findall(r"\d{1,2}", paying[1])]
        if all(1 <= n <= 31 for n in days):
            more["pay_days"] = tuple(dict.fromkeys(days))
            text = (text[: paying.start()] + " " + text[paying.end() :]).strip(" ,")
    text, month = _month_end(text)
    more |= month
    if _AT_ONCE.search(text) and not re.search(r"\d", text):
        return _rule(**more)
    if re.fullmatch(r".*\b\d+\s*-\s*\d+ days?", text):  # 45-60 days: a range in English
        return None
    listed = _LIST.match(_bare(text))
    if listed:
        return _list_rule([int(n) for n in re.findall(r"\d{1,3}", listed[1])], more)
    return _core(text, more)


def _base_of(text: str) -> tuple[str, Base | None]:
    if _ON_RECEIPT.search(text) and not re.search(r"\d", text):
        return _ON_RECEIPT.sub("cash", text), "reception"
    if _FROM_ACCEPTANCE.search(text):
        return _FROM_ACCEPTANCE.sub(" ", text), "acceptance"
    if _FROM_RECEIPT.search(text):
        return _FROM_RECEIPT.sub(" ", text), "reception"
    return text, None


def _month_end(text: str) -> tuple[str, dict[str, Any]]:
    text = re.sub(r"(\d)\s*(fm|eom|dfm)\b", r"\1 \2", text)
    if _OUT_OF_MONTH.search(text):
        days = re.search(r"\d{1,3}", text)
        return _OUT_OF_MONTH.sub(" ", text), {"end_of_month": True, "_then": int(days[0]) if days else 0}
    found = _END.search(text)
    if not found:
        return text, {}
    more: dict[str, Any] = {"end_of_month": True}
    after = re.match(rf"\s*[+,]?\s*(\d{{1,3}})\s*(?:{_DAY})?\s*$", text[found.end() :])
    if after:
        more["then_days"] = int(after[1])
        text = text[: found.start()]
    else:
        text = text[: found.start()] + " " + text[found.end() :]
    return text.strip(" ,+"), more


def _list_rule(days: list[int], more: dict[str, Any]) -> TermRule | None:
    if "_then" in more or days != sorted(set(days)) or (days[0] < 7 and days[0] != 0) or days[-1] > 400:
        return None
    if len(days) == 2 and days[0] and sum(days) == 100:  # 30/70 may be shares of the sum as well
        return None
    return _rule(parts=tuple(Part(days=n) for n in days), **more)


def _core(text: str, more: dict[str, Any]) -> TermRule | None:
    then = more.pop("_then", None)
    if then is not None:
        more["then_days"] = then
        text = re.sub(r"\d{1,3}", "", text, count=1)
        return _rule(**more) if not _words_left(re.sub(rf"\b{_DAY}\b", " ", text)) else None
    working = re.search(r"(\d{1,3})\s*(?:dias? (?:habiles|uteis|laborables)|(?:business|working) days?|dh|wd)\b", text)
    if working:
        rest = text.replace(working[0], " ")
        return _rule(days=int(working[1]), working=True, **more) if not _words_left(rest) else None
    for pattern, unit in (
        (rf"\b(\d{{1,3}})\s*{_DAY}?\b", "days"), (rf"\b([a-z]+|\d{{1,2}}) (?:calendar )?{_MONTH}\b", "months"),
        (r"\b([a-z]+|\d{1,2}) (?:semanas?|weeks?)\b", "weeks"), (r"\bn\s*/?\s*(\d{1,3})\b", "days"),
    ):  # fmt: skip
        rule = _counted(text, pattern, unit, more)
        if rule is not None:
            return rule
    written_out = _written_out(text)
    if written_out is not None:
        return _rule(on=written_out)
    return _rule(**more) if more and not _words_left(text) else None


def _counted(text: str, pattern: str, unit: str, more: dict[str, Any]) -> TermRule | None:
    found = re.search(pattern, _without_dates(text))
    if not found:
        return None
    count = int(found[1]) if found[1].isdigit() else _ONE.get(found[1])
    rest = _without_dates(text).replace(found[0], " ", 1)
    if count is None or _words_left(rest):
        return None
    if unit == "months":
        return _rule(months=count, **more)
    return _rule(days=count * (7 if unit == "weeks" else 1), **more)


def _written_out(text: str) -> date | None:
    """A day in the text, where its order is beyond doubt: ISO, with points, or behind a Spanish or Portuguese word."""
    for pattern, order in ((_ISO, (1, 2, 3)), (_DOTTED, (3, 2, 1)), (_SLASHED, (3, 2, 1))):
        found = pattern.search(text)
        if found:
            try:
                return date(*(int(found[at]) for at in order))
            except ValueError:
                return None
    return None


def _without_dates(text: str) -> str:
    for pattern in (_ISO, _DOTTED, _SLASHED):
        text = re.sub(rf"(?:\b(?:bis|until|by|hasta(?: el)?|ate)\s+)?(?:{pattern.pattern})", " ", text)
    return text


def _bare(text: str) -> str:
    """Without the words that say nothing of the day, but with the signs of a list."""
    return " ".join(word for word in re.sub(r"[():]", " ", text).split() if word not in _NOISE - {"a", "y", "e"}).strip(" ,.")


def _words_left(text: str) -> bool:
    words = re.findall(r"[a-z]+|\d+|%", text)
    return any(word not in _NOISE and not (word == "n" or word in ("d", "dias", "days", "y", "e")) for word in words)


def _rule(**members: Any) -> TermRule | None:
    try:
        return TermRule(**members)
    except ValidationError:
        return None
