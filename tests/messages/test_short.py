"""How messages speak of deductions, deposits and indexed sums, in three languages and every register."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from messages.lint import lint
from messages.render import render
from messages.short import LABELS, Conversion, DeductionLine, documents
from policies.deductions import DeductionIn
from policies.terms import Channel
from tests.messages.samples import ANA, SPEAKERS

DEPOSIT = DeductionLine(kind="detraccion", amount_minor=12_000, open_minor=12_000, account="00-068-123456", missing=True)
WITHHELD = DeductionLine(kind="retencion_igv", amount_minor=3_000, missing=True)
PERU = replace(ANA, country="PE", currency="PEN", amount_minor=85_000, deductions=(DEPOSIT, WITHHELD))
RATE = Conversion(
    currency="CLF", payment_currency="CLP", value=Decimal("39383.07"), on_day=date(2026, 6, 25), valid_until=date(2026, 6, 25),
    source="SII",
)  # fmt: skip
CHILE = replace(ANA, country="CL", currency="CLF", amount_minor=125_000, conversions=(RATE,))
DEBT = re.compile(
    r"deud|venc|mora\b|pendient|saldo|atras|dívida|em aberto|overdue|debt|outstanding|balance|reminder|due", re.IGNORECASE
)


def plain(text: str) -> str:
    return text.replace("\xa0", " ")


@pytest.mark.parametrize(("language", "register"), SPEAKERS)
@pytest.mark.parametrize("channel", [Channel.EMAIL, Channel.LETTER, Channel.WHATSAPP, Channel.SMS])
def test_a_request_for_a_document_holds_no_word_of_debt(language: str, register: str, channel: Channel) -> None:
    message = render("certificate_request", channel=channel, language=language, register=register, values=PERU)
    assert not DEBT.findall(message.subject + message.text)
    assert lint(message, channel, language, "certificate_request", values=PERU) == []


@pytest.mark.parametrize(
    ("language", "account", "igv", "needs"),
    [
        ("es", "Detracción (cuenta 00-068-123456): S/ 120.00", "Retención de IGV: S/ 30.00", "la constancia de depósito"),
        ("pt", "Detração (conta 00-068-123456): PEN 120,00", "Retenção de IGV: PEN 30,00", "o comprovante de depósito"),
        ("en", "Detracción (account 00-068-123456): PEN120.00", "IGV withheld: PEN30.00", "the proof of deposit"),
    ],
)
def test_both_destinations_are_shown_with_their_own_sums(language: str, account: str, igv: str, needs: str) -> None:
    asked = plain(render("first_reminder", channel=Channel.EMAIL, language=language, register="usted", values=PERU).text)
    assert account in asked and igv in asked and "850" in asked and "1.000" not in asked.replace(",", ".")
    request = plain(render("certificate_request", channel=Channel.EMAIL, language=language, register="usted", values=PERU).text)
    assert account in request and igv in request and needs in request and "850" not in request


@pytest.mark.parametrize(
    ("language", "line"),
    [
        ("es", "12,5000 UF × 39.383,07 CLP (SII, jueves 25 de junio, vale hoy): 492.288 CLP"),
        ("pt", "12,5000 UF × 39.383,07 CLP (SII, 25 de junho (quinta-feira), vale hoje): 492.288 CLP"),
        ("en", "UF12.5000 × 39,383.07 CLP (SII, Thursday 25 June, valid today): CLP492,288"),
    ],
)
def test_an_indexed_sum_says_units_value_day_source_and_until_when(language: str, line: str) -> None:
    email = plain(render("first_reminder", channel=Channel.EMAIL, language=language, register="usted", values=CHILE).text)
    assert line in email.replace("UF 12", "UF12").replace("CLP 492", "CLP492")
    whatsapp = plain(render("first_reminder", channel=Channel.WHATSAPP, language=language, register="usted", values=CHILE).text)
    assert "39" in whatsapp and "SII" in whatsapp and "492" in whatsapp


def test_a_value_that_holds_longer_says_until_which_day() -> None:
    weekend = replace(CHILE, conversions=(replace(RATE, valid_until=date(2026, 6, 28)),))
    text = plain(render("first_reminder", channel=Channel.EMAIL, language="es", register="usted", values=weekend).text)
    assert "vale hasta el domingo 28 de junio" in text


def test_an_sms_names_the_units_only_and_no_sum_that_ages() -> None:
    text = render("first_reminder", channel=Channel.SMS, language="es", register="usted", values=CHILE).text
    assert "12,5000 UF" in text and "CLP" not in text and "CLF" not in text


def test_an_ordinary_message_says_nothing_of_all_this() -> None:
    text = render("first_reminder", channel=Channel.EMAIL, language="es", register="usted", values=ANA).text
    assert "Retención" not in text and "×" not in text and "A pagar" not in text
    assert "A pagar" in render("first_reminder", channel=Channel.EMAIL, language="es", register="usted", values=PERU).text


def test_every_kind_has_a_name_in_every_language_and_only_what_is_missing_is_asked_for() -> None:
    kinds = set(DeductionIn.model_json_schema()["properties"]["kind"]["enum"])
    assert {language: set(names) for language, names in LABELS.items()} == dict.fromkeys(("es", "pt", "en"), kinds)
    assert documents((replace(WITHHELD, missing=False), DEPOSIT), "es") == "la constancia de depósito de la detracción"
    assert documents((), "en") == "a document"
