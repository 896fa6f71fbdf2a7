"""Short replies in three languages: what stops, what says paid, and what must not be taken for either."""

from __future__ import annotations

import pytest

from channels.keywords import read_keyword


@pytest.mark.parametrize(
    "text",
    [
        "STOP", "stop.", " Stop please ", "ALTO", "Baja", "BAJA POR FAVOR", "cancelar", "CANCEL", "SAIR", "Parar", "PARE", "para",
        "UNSUBSCRIBE", "Stop texting me!", "no me escriban más", "Por favor no me contacten", "Não me mande mais mensagens",
        "dénme de baja", "don't contact me again", "¡ALTO!", "remover",
    ],
)  # fmt: skip
def test_a_stop_is_read(text: str) -> None:
    assert read_keyword(text) == "stop"


@pytest.mark.parametrize(
    "text",
    [
        "Ya pagué", "YA PAGUE ayer por la app", "sí, ya pagué", "Já paguei", "ja paguei ontem", "PAID", "I already paid this",
        "I've paid", "ya está pagada", "Ya cancelé la factura", "pagado",
    ],
)  # fmt: skip
def test_a_claim_of_payment_is_read(text: str) -> None:
    assert read_keyword(text) == "paid"


@pytest.mark.parametrize(
    "text",
    [
        "", "   ", "👍", "quiero cancelar la factura", "¿para cuándo es?", "No, aún no pagué", "não paguei ainda",
        "when it has been paid I will tell you", "I have not paid it", "gracias", "el alto costo de la energía no es justo",
        "¿puedo pagar el viernes?",
    ],
)  # fmt: skip
def test_what_is_not_plain_is_left_for_a_person(text: str) -> None:
    assert read_keyword(text) == "none"


@pytest.mark.parametrize(("text", "meaning"), [("START", "start"), ("ALTA", "start"), ("Número equivocado", "wrong_number"),
                                               ("wrong number!", "wrong_number"), ("Número errado", "wrong_number")])  # fmt: skip
def test_a_start_and_a_wrong_number_are_read(text: str, meaning: str) -> None:
    assert read_keyword(text) == meaning
