"""What the linter refuses and what it lets pass; a rule that stops working is seen here."""

from __future__ import annotations

from dataclasses import replace

import pytest

from messages.lint import lint, lint_words
from messages.lint_words import rules
from messages.render import Rendered, render
from policies.terms import Channel
from tests.messages.samples import ANA
from tests.messages.sentences import INNOCENT, REFUSED

BAD = [(language, rule, text) for language, told in REFUSED.items() for rule, text in told]
GOOD = [(language, text) for language, told in INNOCENT.items() for text in told]


def test_there_are_a_hundred_of_each() -> None:
    assert len({text for _, _, text in BAD}) >= 100 and len({text for _, text in GOOD}) >= 100


@pytest.mark.parametrize(("language", "rule", "text"), BAD)
def test_a_sentence_that_never_leaves_the_house_is_refused_by_its_rule(language: str, rule: str, text: str) -> None:
    assert rule in {finding.rule for finding in lint_words(text, language)}


@pytest.mark.parametrize(("language", "text"), GOOD)
def test_an_innocent_sentence_passes(language: str, text: str) -> None:
    assert lint_words(text, language) == []


def test_every_rule_has_a_refused_sentence_in_every_language() -> None:
    for language, told in REFUSED.items():
        assert {rule.id for rule in rules()} <= {rule for rule, _ in told}, language


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
