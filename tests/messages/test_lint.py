"""What the linter refuses and what it lets pass; a rule that stops working is seen here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from messages.lint import lint, lint_words
from messages.lint_tone import sounding, sounds_refused, weights
from messages.lint_words import rules, sentences
from messages.registers import LANGUAGES
from messages.render import Rendered, render
from policies.terms import Channel
from tests.messages.samples import ANA

HERE = Path(__file__).parent
REFUSED: dict[str, dict[str, list[str]]] = yaml.safe_load((HERE / "lint_refused.yaml").read_text(encoding="utf-8"))
PASSED = yaml.safe_load((HERE / "lint_passed.yaml").read_text(encoding="utf-8"))
MORE: dict[str, dict[str, list[str]]] = yaml.safe_load((HERE / "lint_refused_more.yaml").read_text(encoding="utf-8"))
MORE_PASSED = yaml.safe_load((HERE / "lint_passed_more.yaml").read_text(encoding="utf-8"))
KINDS = [(language, rule) for language, told in REFUSED.items() for rule in told]


def test_there_are_hundreds_of_each_and_none_stands_in_both() -> None:
    refused = [(language, text) for language, told in REFUSED.items() for texts in told.values() for text in texts]
    passed = [(language, text) for language in LANGUAGES for text in PASSED[language]]
    assert len(refused) == len(set(refused)) >= 500 and len(passed) == len(set(passed)) >= 300
    assert not set(refused) & set(passed)


@pytest.mark.parametrize(("language", "rule"), KINDS)
def test_a_sentence_that_never_leaves_the_house_is_refused(language: str, rule: str) -> None:
    passed = [text for text in REFUSED[language][rule] if not lint_words(text, language)]
    assert passed == []


@pytest.mark.parametrize(("language", "rule"), KINDS)
def test_each_kind_of_sentence_is_known_by_its_own_rule(language: str, rule: str) -> None:
    texts = REFUSED[language][rule]
    by_it = [text for text in texts if rule in {finding.rule for finding in lint_words(text, language)}]
    assert len(by_it) >= 0.8 * len(texts), sorted(set(texts) - set(by_it))


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_innocent_sentence_passes(language: str) -> None:
    found = {text: findings for text in PASSED[language] if (findings := lint_words(text, language))}
    assert found == {}


@pytest.mark.parametrize(("language", "rule"), [(language, rule) for language, told in MORE.items() for rule in told])
def test_what_nobody_thought_of_when_the_rules_were_written_is_refused(language: str, rule: str) -> None:
    assert [text for text in MORE[language][rule] if not lint_words(text, language)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_ordinary_sentences_of_a_good_house_pass(language: str) -> None:
    found = {text: findings for text in MORE_PASSED[language] if (findings := lint_words(text, language))}
    assert found == {}
    for text in MORE_PASSED["formal_stage"][language]:
        assert lint_words(text, language, stage="formal") == []


@pytest.mark.parametrize(
    ("language", "texts"),
    [
        ("es", ("Con su jefe hablaremos el lunes.", "El lunes, su jefe tendr\u00e1 noticias: hablaremos con \u00e9l.")),
        ("pt", ("Com seu chefe falaremos na segunda.", "Na segunda, seu chefe vai receber uma liga\u00e7\u00e3o nossa.")),
        ("en", ("To your boss we will speak on Monday.", "On Monday your boss gets a call from us.")),
    ],
)
def test_the_order_of_the_words_does_not_hide_who_is_told(language: str, texts: tuple[str, ...]) -> None:
    for text in texts:
        assert "third_party" in {finding.rule for finding in lint_words(text, language)}, text


def test_a_sentence_no_rule_knows_is_weighed_except_where_its_words_are_lawful() -> None:
    read = sentences("Le conviene que su gente no sepa nada, usted decide cu\u00e1nto aguanta.")[0]
    assert sounding(read, weights("es")) > sounding(sentences("Su factura vence el lunes 3 de mayo.")[0], weights("es"))
    assert sounds_refused("gracias", "es") is None, "too few words to judge"
    for language in LANGUAGES:
        told = weights(language)
        loud = " ".join(f[2:] for f, weight in sorted(told.of.items(), key=lambda each: -each[1]) if f.startswith("w:"))[:200]
        assert sounds_refused(loud, language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_formal_text_may_name_what_follows_in_law_and_no_earlier_one_may(language: str) -> None:
    for text in PASSED["formal_stage"][language]:
        assert lint_words(text, language, stage="formal") == []
        assert "court_words" in {finding.rule for finding in lint_words(text, language, stage="late")}


def test_every_rule_has_a_refused_sentence_in_every_language() -> None:
    for language, told in REFUSED.items():
        assert {rule.id for rule in rules()} <= set(told), language


@pytest.mark.parametrize(
    "text",
    [
        "Eres un moroso.", "Eres un MOROSO.", "Eres un mor\u00f3so.", "Eres un m o r o s o.", "Eres un m.o.r.o.s.o.",
        "Eres un m0r0s0.", "Eres un mo<b>ro</b>so.", "Eres un <i>mo</i>roso.", "Eres un mo\u200broso.", "Eres un mo\u00adroso.",
        "Eres un mo-\nroso.", "Eres un mo*ro*so.", "Eres un **moroso**.", "Eres un m\u043er\u043es\u043e.", "Eres un moroooso.",
        "Eres un mo.ro.so.", "Eres un m\uff4f\uff52oso.", "Eres un &#109;oroso.", "Eres un mor\u2060oso.", "Eres un M-O-R-O-S-O.",
        "_moroso_", "Es m. o. r. o. s. o.",
    ],
)  # fmt: skip
def test_a_word_is_known_through_what_is_done_to_hide_it(text: str) -> None:
    assert "insult" in {finding.rule for finding in lint_words(text, "es")}


@pytest.mark.parametrize(
    "text", ["Factura F-10/2026 B2B", "Su código es A1B2C3 y el IBAN ES91 2100 0418", "Plan 4x4 y 2x1", "3 a 5 días"]
)
def test_numbers_and_codes_are_not_read_as_letters(text: str) -> None:
    assert lint_words(text, "es") == []


def test_words_of_the_formal_stage_pass_there_and_only_there() -> None:
    said = "El expediente pasa a la vía judicial."
    assert lint_words(said, "es", stage="formal") == []
    assert [f.rule for f in lint_words(said, "es", stage="late")] == ["court_words"]
    record = "Lo informaremos a las centrales de información crediticia."
    assert lint_words(record, "es", name="record_notice") == []
    assert [f.rule for f in lint_words(record, "es", name="final_demand")] == ["credit_record"]
    last = "Este es el último aviso."
    assert lint_words(last, "es", final=True) == []


def test_a_name_in_capitals_is_not_ours_to_refuse_but_our_own_capitals_are() -> None:
    values = replace(ANA, creditor_name="INMOBILIARIA JUEZ Y DEMANDA S.A.", creditor_short="")
    message = render("pre_due", channel=Channel.EMAIL, language="es", register="tu", values=values)
    assert lint(message, Channel.EMAIL, "es", "pre_due", values=values) == []
    loud = replace(message, text=message.text.replace("Te recordamos", "TE RECORDAMOS"))
    assert [f.rule for f in lint(loud, Channel.EMAIL, "es", "pre_due", values=values)] == ["shouting"]


def _rules(message: Rendered, channel: Channel, name: str = "first_reminder") -> set[str]:
    return {finding.rule for finding in lint(message, channel, "es", name, values=ANA)}


def test_a_message_without_sender_answer_stop_or_link_is_refused() -> None:
    message = render("first_reminder", channel=Channel.SMS, language="es", register="tu", values=ANA)
    assert _rules(message, Channel.SMS) == set()
    text = message.text
    assert _rules(replace(message, text=text.replace("Gimnasio Andes", "Hola")), Channel.SMS) == {"no_sender"}
    assert _rules(replace(message, text=text.replace(" Baja: STOP", "")), Channel.SMS) == {"no_stop"}
    assert _rules(replace(message, text=text.replace("Pagar o responder", "Pagar")), Channel.SMS) == {"no_answer"}
    assert _rules(replace(message, text=text.replace(ANA.pay_url, "https://otro.co/x")), Channel.SMS) == {"no_way"}


@pytest.mark.parametrize("words", ["$ 150.000", "150.000 COP", "49,90 €", "R$ 20", "tu deuda"])
def test_the_first_sixty_characters_hold_no_sum_and_no_debt(words: str) -> None:
    start = "Gimnasio Andes: "
    head = replace(render("pre_due", channel=Channel.SMS, language="es", register="tu", values=ANA))
    early = replace(head, text=f"{start}{words} Pagar o responder: {ANA.pay_url} Baja: STOP")
    assert "locked_screen" in _rules(early, Channel.SMS)
    late = replace(head, text=f"{start}Pagar o responder: {ANA.pay_url} {words} Baja: STOP")
    assert "locked_screen" not in _rules(late, Channel.SMS)
    email = render("pre_due", channel=Channel.EMAIL, language="es", register="tu", values=ANA)
    assert "locked_screen" in _rules(replace(email, subject=f"Factura: {words}"), Channel.EMAIL)


def test_lengths_are_refused_one_character_over_the_edge() -> None:
    message = render("first_reminder", channel=Channel.WHATSAPP, language="es", register="tu", values=ANA)
    room = 350 - len(message.text)
    assert _rules(replace(message, text=message.text + "." * room), Channel.WHATSAPP) == set()
    assert _rules(replace(message, text=message.text + "." * (room + 1)), Channel.WHATSAPP) == {"length"}
    assert "one_question" in _rules(replace(message, text="¿Sí? " + message.text), Channel.WHATSAPP)
    text = render("first_reminder", channel=Channel.SMS, language="es", register="tu", values=ANA)
    full = replace(text, text=text.text + "." * (160 - len(text.text)))
    assert _rules(full, Channel.SMS) == set()
    assert _rules(replace(full, text=full.text + "."), Channel.SMS) == {"length"}
    email = render("first_reminder", channel=Channel.EMAIL, language="es", register="tu", values=ANA)
    assert _rules(replace(email, body_words=120), Channel.EMAIL) == set()
    assert _rules(replace(email, body_words=121), Channel.EMAIL) == {"length"}


@pytest.mark.parametrize("style", ["color:red", "color: #ff0000", "color:#d32f2f"])
def test_red_letters_are_refused(style: str) -> None:
    message = render("first_reminder", channel=Channel.EMAIL, language="es", register="tu", values=ANA)
    assert _rules(replace(message, html=f'<p style="{style}">Hola</p>'), Channel.EMAIL) == {"shouting"}


@pytest.mark.parametrize(
    ("text", "mixed"),
    [
        ("Puedes pagar aquí y tu cuenta queda al día.", False),
        ("Podés pagar aquí y tu cuenta queda al día.", False),
        ("Puede pagar aquí y su cuenta queda al día.", False),
        ("Puedes pagar aquí y su cuenta queda al día.", True),
        ("Podés pagar aquí; si quieres, llámanos.", True),
        ("Le escribimos por tu factura.", True),
    ],
)
def test_two_registers_in_one_text_are_refused(text: str, mixed: bool) -> None:
    assert ("register" in {f.rule for f in lint_words(text, "es")}) is mixed
