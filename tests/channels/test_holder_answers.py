"""How people answer the question whose telephone it is."""

from __future__ import annotations

import pytest

from channels.keywords import read_keyword


@pytest.mark.parametrize(
    "text", ["Sí", "si", "SIM", "yes", "Sí, soy yo", "Soy yo", "sou eu", "Yes, that's me", "That's me", "sí, soy Ana"]
)
def test_a_holder_says_yes(text: str) -> None:
    assert read_keyword(text) == "yes"


@pytest.mark.parametrize(
    "text",
    ["No soy yo", "no, no soy yo", "Não sou eu", "not me", "That's not me", "It isn't me", "No es mi número", "Não é meu número"],
)
def test_somebody_else_says_so(text: str) -> None:
    assert read_keyword(text) == "not_me"


@pytest.mark.parametrize("text", ["no", "NÃO", "No."])
def test_a_bare_no_is_read_as_one(text: str) -> None:
    assert read_keyword(text) == "no"


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("sí, ya pagué", "paid"), ("si no paro me avisan por favor mañana", "none"), ("no puedo pagar hoy", "none"),
        ("it was not me who ordered it, ask my former partner about this", "none"), ("sí, baja", "none"),
        ("no me escriban", "stop"),
    ],
)  # fmt: skip
def test_longer_sentences_are_left_for_a_person(text: str, meaning: str) -> None:
    assert read_keyword(text) == meaning
