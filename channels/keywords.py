"""What a short reply means. Only what is plain is read; anything else is left for a person.

A stop is read generously, because a missed one is a breach. Two traps are kept out: "cancelar" also means "to pay" in Spanish
America, and "para" is an ordinary word, so both stop only when they are the whole message.
"""

from __future__ import annotations

import re
import unicodedata

from channels.shapes import Keyword

_STOP_WHOLE = frozenset(
    "stop stopall unsubscribe cancel end quit revoke optout alto baja cancelar parar pare para sair salir remover"
    " descadastrar desuscribir desinscribir detener".split()
) | {"opt out", "dar de baja", "dame de baja", "darme de baja", "stop all"}
_STOP_FIRST_WORD = frozenset({"stop", "unsubscribe", "baja", "alto", "sair", "pare"})
_STOP_WORDS_MAX = 3
_STOP_PHRASES = (
    "no me escriban", "no me escriba mas", "no me contacten", "no me llamen", "no me envien", "no me manden", "dejen de escribir",
    "dejen de llamar", "no quiero recibir", "denme de baja", "dame de baja", "nao me mande", "nao me envie", "nao me contate",
    "nao me ligue", "nao quero receber", "parem de", "pare de me", "stop texting", "stop messaging", "stop contacting",
    "stop calling", "do not contact", "dont contact", "do not text", "dont text", "remove me", "unsubscribe me",
)  # fmt: skip
_START_WHOLE = frozenset("start unstop alta reanudar volver voltar reativar iniciar".split())
_PAID_PHRASES = (
    "ya pague", "ya lo pague", "ya la pague", "ya esta pagado", "ya esta pagada", "ya cancele", "ya se pago", "ya hice el pago",
    "ja paguei", "ja foi pago", "ja foi paga", "ja esta pago", "ja esta paga", "ja fiz o pagamento", "i already paid",
    "already paid", "i paid", "i have paid", "ive paid", "paid it", "has been paid", "was paid",
)  # fmt: skip
_PAID_WHOLE = frozenset({"paid", "pague", "pagado", "pagada", "paguei", "pago", "paga", "pagado ya", "paid already"})
_NOT_PAID = re.compile(r"\b(no|not|nao|nunca|never|todavia|aun|ainda|when|cuando|quando|once|if)\b")
_WRONG_PHRASES = (
    "numero equivocado", "numero errado", "wrong number", "wrong person", "persona equivocada", "pessoa errada", "no soy esa",
    "no lo conozco", "no la conozco", "no conozco a", "nao conheco", "nao sou essa",
)  # fmt: skip
_NOT_ME_PHRASES = (
    "no soy yo", "nao sou eu", "not me", "isnt me", "no es mi numero", "nao e meu numero", "nao e o meu numero", "not my number",
    "no soy la persona", "nao sou a pessoa",
)  # fmt: skip
_NOT_ME_WORDS_MAX = 7
_YES_WHOLE = frozenset(
    {"soy yo", "yo soy", "asi es", "correcto", "sou eu", "correto", "isso mesmo", "thats me", "its me", "it is me", "correct"}
)
_YES_FIRST_WORD = frozenset({"si", "sim", "yes", "yep"})
_YES_WORDS_MAX = 5
_NO_WHOLE = frozenset({"no", "nao", "nope", "no no"})
_POLITE = re.compile(r"\b(por favor|please|porfa|porfavor|gracias|obrigado|obrigada|thanks|thank you)\b")


def read_keyword(text: str) -> Keyword:
    """What the reply plainly says, in Spanish, Portuguese or English; `none` when it is not plain."""
    words = " ".join(_POLITE.sub(" ", plain(text)).split())
    if not words:
        return "none"
    if words in _STOP_WHOLE or any(phrase in words for phrase in _STOP_PHRASES):
        return "stop"
    parts = words.split()
    if parts[0] in _STOP_FIRST_WORD and len(parts) <= _STOP_WORDS_MAX:
        return "stop"
    if words in _START_WHOLE:
        return "start"
    if any(phrase in words for phrase in _WRONG_PHRASES):
        return "wrong_number"
    if len(parts) <= _NOT_ME_WORDS_MAX and any(re.search(rf"\b{phrase}\b", words) for phrase in _NOT_ME_PHRASES):
        return "not_me"
    if words in _PAID_WHOLE or _says_paid(words):
        return "paid"
    return _yes_or_no(words, parts)


def _yes_or_no(words: str, parts: list[str]) -> Keyword:
    if words in _NO_WHOLE:
        return "no"
    if _STOP_FIRST_WORD.intersection(parts) or len(parts) > _YES_WORDS_MAX:
        return "none"
    return "yes" if words in _YES_WHOLE or parts[0] in _YES_FIRST_WORD else "none"


def _says_paid(words: str) -> bool:
    """True for "ya pagué la factura"; false for "no, aún no pagué" and "when I paid", where a word before turns it round."""
    for phrase in _PAID_PHRASES:
        found = re.search(rf"\b{phrase}\b", words)
        if found and not _NOT_PAID.search(words[: found.start()]):
            return True
    return False


def plain(text: str) -> str:
    """Lower case, without accents, apostrophes closed up and every other mark a space."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    return re.sub(r"[^a-z0-9]+", " ", re.sub(r"['’]", "", bare))
