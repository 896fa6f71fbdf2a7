"""Refuses what must not be said, and what must not be missing, in a rendered message (playbook 6, F43).

`lint_words` judges sentences; `lint` judges a whole message: its words, its sender, its ways to pay, answer and stop, its length,
its first sixty characters, its register, and anything left unrendered.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from babel.core import get_global

from messages import sms
from messages.catalogue import TEMPLATES, Template, template
from messages.lint_packs import lint_law
from messages.lint_readings import plain, spaced_capitals, without_markup
from messages.lint_words import Finding, refused, rules, sounding
from messages.notices import REVEALING, SMS_SEGMENTS_MAX
from messages.notices import WHATSAPP_MAX as WHATSAPP_WITH_NOTICES_MAX
from messages.registers import LANGUAGES
from messages.values import MessageValues, Rendered
from policies.law.notices import NO_LAW, Wording
from policies.terms import Channel

LOCKED_SCREEN: Final = 60
EMAIL_WORDS_MAX: Final = 120
WHATSAPP_MAX: Final = 350

_CODES: Final = "|".join(sorted(get_global("all_currencies")))
_SUM: Final = re.compile(rf"(\b({_CODES})|[$€£₹]|S/)\s?\d|\d[\d.,]*\s?(({_CODES})\b|€)")
_DEBT: Final = {"es": r"\bdeuda|\badeud|\bmora\b", "pt": r"\bdivida|\bmora\b", "en": r"\bdebt|\bowe"}
_BRACES: Final = re.compile(r"\{\{|\}\}|\{%|%\}|\{#|\[[^\]\n]*\|[^\]\n]*\]|\bNone\b|\bundefined\b|\{[a-z_]+\}")
_NUMERIC_DATE: Final = re.compile(r"\b\d{1,2}[/.-]\d{1,2}[/.-](?:19|20)?\d\d\b(?![.,]\d)|\b(?:19|20)\d\d-\d\d-\d\d\b")
_URL: Final = re.compile(r"https?://\S+|\S+@\S+\.\w+")
_KNOWN_CAPITALS: Final = frozenset(
    """
    STOP SMS PDF XML CSV XLSX QR URL IBAN SEPA BIC SWIFT WHATSAPP BIZUM PIX PSE SPEI OXXO CLABE CBU CVU CCI CURP NIT RUC RUT RFC
    CIF NIF DNI CUIT CUIL CPF CNPJ IVA VAT ISR ICA IGV ICMS ISS IRPF CFDI DANFE NFS UBL SAS SL SA SRL LTDA EIRELI LTD LLC INC GMBH
    UF UDI UVR SOAT AM PM HS
    """.split()
)
_SPOKEN_PLAINLY: Final = frozenset(name for rule in rules() for name in rule.except_templates)
_LOUD: Final = re.compile(r"[!\u00a1]{2,}|[\u203c\u2757\u26a0]|\U0001f6a8|\U0001f534")
_ANSWER: Final = {
    "es": r"respo?nd|contest|ya pague|devolver",
    "pt": r"respond|resposta|ja paguei|retornar",
    "en": r"\brepl|already paid|call us",
}
_STOP: Final = {
    "es": r"\bstop\b|\bbaja\b|no recibir mas",
    "pt": r"\bstop\b|\bsair\b|nao receber mais",
    "en": r"\bstop\b|opt out|unsubscribe|no more (messages|calls)",
}
# Spanish forms that belong to one register only; "te, tu, tus" are shared by tú and vos.
_TU: Final = re.compile(
    r"\b(tú|ti|contigo|puedes|quieres|tienes|prefieres|debes|necesitas|crees|eliges|dinos|escríbenos|dínoslo|elígelo|"
    r"déjanos|respóndenos|revísalo|pídelo|propones|haces|llámanos)\b",
    re.IGNORECASE,
)
_TU_VOS: Final = re.compile(r"\b(te|tu|tus|tuy[oa]s?)\b", re.IGNORECASE)
_VOS: Final = re.compile(
    r"\b(vos|podés|querés|tenés|preferís|debés|necesitás|creés|elegís|decinos|escribinos|contanos|elegilo|dejanos|respondenos|"
    r"revisalo|pedilo|tocá|pagá|elegí|respondé|proponés|llamanos)\b",
    re.IGNORECASE,
)
_USTED: Final = re.compile(
    r"\b(usted|ustedes|le|les|su|sus|suy[oa]s?|díganoslo|díganos|escríbanos|elíjalo|déjenos|respóndanos|revíselo|pídalo|"
    r"toque|pague|elija|responda|llámenos|indíquennos)\b",
    re.IGNORECASE,
)
_PT_TU: Final = re.compile(r"\b(tu|teu|tua|teus|tuas|contigo|podes|queres)\b", re.IGNORECASE)
_PT_VOCE: Final = re.compile(r"\b(você|vocês|seu|sua|seus|suas)\b", re.IGNORECASE)


def lint_words(text: str, language: str, *, stage: str = "early", name: str = "", final: bool = False) -> list[Finding]:
    """What is refused in the words alone. `stage`, `name` and `final` are those of the template the words belong to."""
    found = []
    said = refused(_URL.sub(" ", text), language)
    for rule in rules():
        lawful = stage == rule.except_stage or name in rule.except_templates or (final and rule.final_allowed)
        if not lawful and rule.id in said:
            found.append(Finding(rule.id, said[rule.id], rule.why))
    free = stage == "formal" or final or name in _SPOKEN_PLAINLY
    if not said and not free and (heard := sounding(text, language)):
        found.append(Finding("tone", heard, "it sounds like what the house refuses: say it another way"))
    found += _shouting(without_markup(text))
    if _register_mixed(text, language):
        found.append(Finding("register", text[:60], "two ways of addressing the reader in one message"))
    if match := _NUMERIC_DATE.search(_URL.sub(" ", text)):
        found.append(Finding("numeric_date", match[0], "a date has its month in words: 3/4 is two days"))
    if match := _BRACES.search(text):
        found.append(Finding("unrendered", match[0], "a value or a choice was left unrendered"))
    return found


def lint(
    rendered: Rendered,
    channel: Channel,
    language: str,
    name: str,
    *,
    values: MessageValues | None = None,
    wording: Wording = NO_LAW,
) -> list[Finding]:
    """Everything wrong with a rendered message; an empty list means it may leave.

    With `values` it also checks that the sender's name and the links of those values are there, and does not read the names
    given in them as words of ours; and what `wording`, the law of the debtor's place, wants said and forbids (F43, F54).
    """
    if language not in LANGUAGES:
        raise ValueError(f"no language {language!r}")
    text = template(name) if name in TEMPLATES else None
    own = rendered.subject + "\n" + rendered.text
    for given in _given(values):
        own = own.replace(given, "·").replace(sms.to_gsm7(given), "·")
    found = lint_words(own, language, stage=text.stage if text else "early", name=name, final=text.final if text else False)
    found += _locked_screen(rendered, channel, language)
    if channel is Channel.VOICE and (match := REVEALING[language].search(own)):
        found.append(Finding("reveals_debt", match[0], "whoever answers a call learns nothing of a debt"))
    found += _length(rendered, channel, noticed=bool(wording.says))
    found += _ways(rendered, channel, language, text, values, wording)
    if values is not None and wording is not NO_LAW:
        strict = [*lint_words(own, language), *found]
        found += lint_law(rendered, language, wording, values, own=own, house=strict)
    if _red(rendered.html):
        found.append(Finding("shouting", "red text", "red letters shout"))
    return found


def _given(values: MessageValues | None) -> list[str]:
    if values is None:
        return []
    named = (
        values.creditor_name, values.creditor_short, values.team, values.salutation, values.invoice_number, values.phone,
        *values.said.values(),
    )  # fmt: skip
    return sorted({n for n in named if len(n) > 1}, key=len, reverse=True)


def _shouting(text: str) -> Iterator[Finding]:
    sign = _LOUD.search(text)
    if apart := sign[0] if sign is not None else spaced_capitals(text):
        yield Finding("shouting", apart, "signs and spaced capitals shout")
        return
    previous = ""
    for word in re.findall(r"[^\W_]+(?:-[^\W_]+)*", _URL.sub(" ", text)):
        loud = word.isupper() and word.isalpha() and word not in _KNOWN_CAPITALS and not re.fullmatch(_CODES, word)
        if loud and (len(word) >= 5 or (len(word) >= 2 and previous)):
            yield Finding("shouting", f"{previous} {word}".strip(), "capitals shout")
            return
        previous = word if loud and len(word) >= 2 else ""


def _register_mixed(text: str, language: str) -> bool:
    words = _URL.sub(" ", text)
    if language == "pt":
        return bool(_PT_TU.search(words) and _PT_VOCE.search(words))
    if language != "es":
        return False
    tu, vos, usted = bool(_TU.search(words)), bool(_VOS.search(words)), bool(_USTED.search(words))
    return tu + vos + usted > 1 or (usted and bool(_TU_VOS.search(words)))


def _locked_screen(rendered: Rendered, channel: Channel, language: str) -> Iterator[Finding]:
    if channel in (Channel.LETTER, Channel.VOICE):
        return
    first = (rendered.subject or rendered.text)[:LOCKED_SCREEN].replace("\u00a0", " ")
    if match := _SUM.search(first) or re.search(_DEBT[language], plain(first)):
        yield Finding("locked_screen", match[0], "the first 60 characters may be read on a locked screen: no sum, no debt")


def _length(rendered: Rendered, channel: Channel, *, noticed: bool) -> Iterator[Finding]:
    segments, characters = (SMS_SEGMENTS_MAX, WHATSAPP_WITH_NOTICES_MAX) if noticed else (1, WHATSAPP_MAX)
    if channel is Channel.SMS and sms.segments(rendered.text) > segments:
        yield Finding("length", f"{sms.segments(rendered.text)} segments", f"an SMS has at most {segments} here")
    if channel is Channel.WHATSAPP and len(rendered.text) > characters:
        yield Finding("length", f"{len(rendered.text)} characters", f"a WhatsApp message has at most {characters} characters")
    if channel is Channel.WHATSAPP and rendered.text.count("?") > 1:
        yield Finding("one_question", f"{rendered.text.count('?')} questions", "a WhatsApp message asks one question")
    if channel is Channel.EMAIL and rendered.body_words > EMAIL_WORDS_MAX:
        yield Finding("length", f"{rendered.body_words} words", "an email has at most 120 words before its table")


def _ways(
    rendered: Rendered, channel: Channel, language: str, text: Template | None, values: MessageValues | None, wording: Wording
) -> Iterator[Finding]:
    body, read = rendered.text, plain(rendered.text)
    if not re.search(_ANSWER[language], read):
        yield Finding("no_answer", "", "there is no way to answer")
    if not wording.nothing_else and not re.search(_STOP[language], read) and not (values and values.stop_url in body):
        yield Finding("no_stop", "", "there is no way to stop these messages")
    if values is None:
        return
    names = {values.creditor_name, values.creditor_short or values.creditor_name}
    if wording.nothing_else and values.said.get("agency"):
        names = {values.said["agency"]}
    if not any(n in body or sms.to_gsm7(n) in body for n in names):
        yield Finding("no_sender", values.creditor_name, "the sender's name is missing")
    if channel is Channel.VOICE or text is None or text.private:
        return
    if channel is not Channel.SMS and not wording.nothing_else:
        if values.creditor_name not in body:
            yield Finding("no_legal_name", values.creditor_name, "the sender's legal name is missing; only an SMS may shorten it")
        if values.team and values.team not in body:
            yield Finding("no_team", values.team, "there is no person or team to answer to")
    links = {"payment": values.pay_url, "answer": values.answer_url, "nothing": values.answer_url}
    if links[text.asks] not in body:
        yield Finding("no_way", links[text.asks], "the link to pay or to answer is missing")


def _red(html: str) -> bool:
    if re.search(r"color:\s*red\b", html):
        return True
    for red, green, blue in re.findall(r"(?<!background:)(?<!-)#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})", html.lower()):
        if int(red, 16) > 170 and int(green, 16) < 90 and int(blue, 16) < 90:
            return True
    return False
