"""Several addresses in one cell, with names and labels around them; and tax numbers, always in one form."""

from __future__ import annotations

import re
import unicodedata

from policies.sheet import fold

_NOTHING = frozenset(
    "n/a na n.a n/d nd n.d s/n sn no x sin sem ninguno ninguna nenhum nenhuma null none nan nao nada nothing pendiente"
    " desconocido desconhecido unknown tbd 0".split()
) | {
    "no tiene", "sin correo", "sin email", "sin telefono", "no aplica", "nao tem", "sem email", "no registra", "no hay",
    "no posee", "no disponible", "sin numero", "sin dato", "sin datos", "sin informacion", "por definir", "sem correio",
    "sem telefone", "sem numero", "sem dados", "sem informacao", "nao possui", "nao consta", "nao informado", "nao se aplica",
    "no email", "no e-mail", "no mail", "no phone", "no number", "not available", "not applicable",
}  # fmt: skip
"""In small letters and without accents, or signs around them."""
_IN_BRACKETS = re.compile(r"<([^<>]*)>")
_LABEL = re.compile(
    r"(?<![a-z])(tel|tels|telefono|telefone|fijo|cel|celular|celulares|movil|mobile|phone|fono|whatsapp|wa|ws|wsp|fax)\b\s*[.:#]*\s*",
    re.IGNORECASE,
)
_EXTENSION = re.compile(r"\s*(?:ext|extension|anexo|ramal|int)\b\.?:?\s*\d+", re.IGNORECASE)
_TAX_LABEL = re.compile(r"^(nit|rut|run|cnpj|cpf|cuit|cuil|rfc|nif|cif|dni|ruc|rif|vat|tax id|cc|ce)\b[\s.:#]*", re.IGNORECASE)


def emails_in(cell: str) -> list[str]:
    """Every e-mail address of a cell: `Ana <ana@x.co>; luis@x.co / eva@x.co` are three. Names around them are dropped; what looks
    like a broken address is kept, so that it is refused and not lost."""
    text = cell.strip()
    if says_nothing(text):
        return []
    if "@" not in text:
        return [text]
    found: list[str] = []
    for part in re.split(r"[;,\n\r|]+|\s/\s|(?<=[a-z])/(?=[^/]*@)", text, flags=re.IGNORECASE):
        bracketed = _IN_BRACKETS.findall(part)
        for word in bracketed or part.replace("mailto:", "").split():
            word = word.strip("()[]\"' \t.:").removeprefix("mailto:")
            if "@" in word or (not bracketed and re.fullmatch(r"[\w-]+(\.[\w-]+)*\.[a-z]{2,6}", word, re.IGNORECASE)):
                found.append(word)
    return list(dict.fromkeys(found))


def phones_in(cell: str) -> list[str]:
    """Every telephone number of a cell, without labels and extensions: `Cel: 300 123 4567 / Tel. (601) 234 5678 ext 12`."""
    text = _unaccented(cell.strip())
    if says_nothing(text):
        return []
    parts = re.split(r"[;,\n\r|/]+|\s+[yeo]\s+", _LABEL.sub(";", _EXTENSION.sub("", text)))
    numbers = [" ".join(part.strip(" .:-").split()) for part in parts]
    return list(dict.fromkeys(number for number in numbers if any(c.isdigit() for c in number)))


def no_phone_in(cell: str) -> bool:
    """Whether a cell of telephones says something that is no number: `llamar a Juan`. A label alone says nothing: `Tel.`"""
    told = (cell, _LABEL.sub("", _unaccented(cell)))
    return not phones_in(cell) and not any(says_nothing(each) for each in told)


def says_nothing(cell: str) -> bool:
    """Whether a cell only says that there is nothing: `-`, `N/A`, `sin correo`, or no letter or figure at all."""
    text = fold(cell)
    return text.strip(" .:;,*()-_") in _NOTHING or not any(c.isalnum() or c == "@" for c in text)


def tax_number(text: str) -> str:
    """A tax number in its one form: without label, dots, dashes and blanks, in capitals: `NIT 900.123.456-7` is 9001234567."""
    plain = _TAX_LABEL.sub("", _unaccented(text.strip()))
    return re.sub(r"[^0-9A-Za-zÑ&]", "", plain).upper() or text.strip()


def _unaccented(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
