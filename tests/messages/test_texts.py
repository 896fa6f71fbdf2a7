"""Every text, in every language, register and channel, renders and may leave the house."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from importlib.resources import files
from time import perf_counter

import pytest

from messages import sms
from messages.catalogue import common, parse_template, template
from messages.lint import lint
from messages.registers import in_register
from messages.render import LANGUAGES, TEMPLATES, MessageValues, TextError, render
from policies.terms import Channel
from tests.messages.samples import ANA, FULL_OFFER, SAMPLES, SPEAKERS, TWELVE, Terms


def written(name: str, channel: Channel, values: MessageValues, language: str = "es", register: str = "tu") -> str:
    return render(name, channel=channel, language=language, register=register, values=values).text


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_channel_language_and_register_is_written_and_refused_by_no_rule(name: str) -> None:
    found = []
    for language, register in SPEAKERS:
        for channel in Channel:
            for sample, values in SAMPLES.items():
                message = render(name, channel=channel, language=language, register=register, values=values)
                assert message.text and re.fullmatch("[0-9a-f]{12}", message.version)
                assert bool(message.subject) == (channel in (Channel.EMAIL, Channel.LETTER))
                assert bool(message.html) == (channel in (Channel.EMAIL, Channel.LETTER))
                for finding in lint(message, channel, language, name, values=values):
                    found.append(f"{language} {register} {channel}, {sample}: {finding}")
    assert found == []


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_missing_translation_is_an_error_that_names_it(name: str) -> None:
    source = files("messages").joinpath(f"texts/{name}.yaml").read_text(encoding="utf-8")
    for language in LANGUAGES:
        with pytest.raises(TextError, match=f"{name}.yaml has no {language}"):
            parse_template(name, re.sub(rf"(?m)^{language}:$", "xx:", source))
    with pytest.raises(TextError, match="missing"):
        parse_template(name, re.sub(r"(?m)^  sms:$", "  xms:", source))


def test_the_catalogue_and_the_files_are_the_same() -> None:
    kept = {f.name.removesuffix(".yaml") for f in files("messages").joinpath("texts").iterdir() if f.name.endswith(".yaml")}
    assert kept == {*TEMPLATES, "_common"}
    assert {k: set(v) for k, v in common().items()} == dict.fromkeys(LANGUAGES, set(common()["es"]))


@pytest.mark.parametrize("name", TEMPLATES)
def test_sms_texts_are_written_in_the_alphabet_of_one_long_segment(name: str) -> None:
    for language, register in SPEAKERS:
        for source in template(name).sections[language].sms:
            words = re.sub(r"\{[{%].*?[}%]\}", "", in_register(source, language, register))
            assert sms.is_gsm7(words), f"{language}: {source}"


def test_a_missing_register_form_is_refused_with_its_place() -> None:
    source = files("messages").joinpath("texts/pre_due.yaml").read_text(encoding="utf-8")
    broken = source.replace("[Tu|Su|Tu] factura {{ number }} vence", "[Tu|Su] factura {{ number }} vence", 1)
    with pytest.raises(TextError, match=r"pre_due.yaml es.subject: '\[Tu\|Su\]' has 2 forms"):
        parse_template("pre_due", broken)


@pytest.mark.parametrize(("register", "said"), [("tu", "Puedes pagarla"), ("usted", "Puede pagarla"), ("vos", "Podés pagarla")])
def test_each_register_has_its_own_sentence(register: str, said: str) -> None:
    assert said in written("pre_due", Channel.EMAIL, ANA, register=register)


def test_usted_is_plural_where_the_text_speaks_to_a_company() -> None:
    assert "¿Qué fecha de pago tienen prevista?" in written("due_soon_statement", Channel.EMAIL, ANA, register="usted")
    assert "¿Qué fecha de pago tienes prevista?" in written("due_soon_statement", Channel.EMAIL, ANA, register="tu")


def test_the_greeting_comes_from_the_salutation_alone() -> None:
    assert written("pre_due", Channel.EMAIL, ANA).startswith("Hola, Ana María:\n")
    nobody = replace(ANA, salutation="")
    assert written("pre_due", Channel.EMAIL, nobody).startswith("Hola:\n")
    assert written("pre_due", Channel.EMAIL, nobody, "pt", "voce").startswith("Olá:\n")
    assert written("pre_due", Channel.EMAIL, nobody, "en", "none").startswith("Hello,\n")


def test_an_offer_is_shown_only_when_it_is_given_and_with_its_end() -> None:
    assert "Puedes elegir una fecha" not in written("offer_ways", Channel.EMAIL, ANA)
    shown = written("offer_ways", Channel.EMAIL, replace(ANA, offer=FULL_OFFER))
    assert (
        "Puedes elegir una fecha dentro de los próximos 10 días, dividir el saldo en hasta 3 pagos (el primero, desde el 20 %)"
        " o pagar en una sola vez con hasta un 15 % de descuento, si el pago llega a más tardar el domingo 5 de julio."
    ) in shown
    until = written("offer_ways", Channel.EMAIL, replace(ANA, offer=Terms(extension_days_max=7), offer_until=date(2026, 7, 1)))
    assert "Esta propuesta vale hasta el miércoles 1 de julio." in until
    assert "Puedes" not in written("paid_receipt", Channel.EMAIL, replace(ANA, offer=FULL_OFFER))


@pytest.mark.parametrize("channel", [Channel.EMAIL, Channel.LETTER, Channel.WHATSAPP])
@pytest.mark.parametrize(
    ("language", "asked"),
    [("es", "canal y qué horario|canal y horario"), ("pt", "canal e em que horário|canal e horário"), ("en", "hours")],
)
def test_the_first_message_asks_for_channel_and_hours(channel: Channel, language: str, asked: str) -> None:
    first = written("pre_due", channel, replace(ANA, first_contact=True), language)
    assert re.search(asked, first) and not re.search(asked, written("pre_due", channel, ANA, language))


def test_more_than_eight_lines_show_total_count_and_the_five_oldest() -> None:
    text = written("open_items", Channel.EMAIL, SAMPLES["a big sum in reais with twelve lines"], "pt", "voce")
    assert re.findall(r"FV-\d+", text) == ["FV-2000", "FV-2001", "FV-2002", "FV-2003", "FV-2004"]
    assert "Total de 12 faturas: R$\u00a01.234.567,89" in text and "São 12 faturas; estas são as 5 mais antigas." in text
    eight = written("open_items", Channel.EMAIL, replace(ANA, lines=TWELVE[:8], amount_total_minor=360_000))
    assert len(re.findall(r"FV-\d+", eight)) == 8 and "más antiguas" not in eight


def test_a_call_to_an_unconfirmed_person_says_who_calls_and_nothing_else() -> None:
    for name in TEMPLATES:
        for language, register in SPEAKERS:
            script = written(name, Channel.VOICE, ANA, language, register)
            assert "Gimnasio Andes" in script
            assert not re.search(r"\d|factura|fatura|invoice|pago|pagamento|payment|Cobranza|deuda|dívida|debt", script), script


@pytest.mark.parametrize("channel", Channel)
def test_an_unconfirmed_holder_learns_nothing_of_an_invoice(channel: Channel) -> None:
    for language, register in SPEAKERS:
        message = render("holder_check", channel=channel, language=language, register=register, values=ANA)
        for secret in ("F-1042", "150", "12 de junio", "Cobranza", "pagos.", "factura", "fatura", "invoice"):
            assert secret not in message.subject + message.text + message.html


def test_names_are_escaped_in_html_and_no_image_or_script_is_there() -> None:
    message = render(
        "pre_due", channel=Channel.EMAIL, language="es", register="tu", values=replace(ANA, salutation="<b>Ana</b> & {{ team }}")
    )
    assert "&lt;b&gt;Ana&lt;/b&gt; &amp; {{ team }}" in message.html
    assert not re.search(r"<img|<script|url\(|@import|<link", message.html)


def test_a_promise_shows_the_agreed_sum_and_not_the_whole_balance() -> None:
    for channel in (Channel.EMAIL, Channel.SMS, Channel.WHATSAPP):
        text = written("promise_reminder", channel, ANA).replace("\u00a0", " ")
        assert "50.000 COP" in text and "150.000" not in text


def test_a_value_that_is_needed_and_missing_is_named() -> None:
    with pytest.raises(TextError, match="promise_reminder .*agreement_date"):
        written("promise_reminder", Channel.EMAIL, replace(ANA, agreement_date=None))
    with pytest.raises(TextError, match="no message template 'nope'"):
        written("nope", Channel.EMAIL, ANA)
    with pytest.raises(TextError, match="no language 'fr'"):
        written("pre_due", Channel.EMAIL, ANA, "fr")


def test_a_corrected_text_has_another_version() -> None:
    source = files("messages").joinpath("texts/pre_due.yaml").read_text(encoding="utf-8")
    before, after = parse_template("pre_due", source), parse_template("pre_due", source.replace("otro día", "otra fecha"))
    assert before.sections["es"].version != after.sections["es"].version
    assert before.sections["en"].version == after.sections["en"].version


def test_an_announced_date_is_the_manuals_own() -> None:
    text = written("suspension_notice", Channel.EMAIL, replace(ANA, action_on=date(2026, 7, 6)))
    assert "antes del lunes 6 de julio" in text


def test_an_email_is_rendered_in_under_two_milliseconds() -> None:
    written("first_reminder", Channel.EMAIL, ANA)
    best = min(_timed() for _ in range(20))
    assert best < 0.002


def _timed() -> float:
    started = perf_counter()
    written("first_reminder", Channel.EMAIL, ANA)
    return perf_counter() - started
