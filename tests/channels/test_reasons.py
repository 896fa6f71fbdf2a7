"""Company reasons in short replies: plain ones are named, anything else is left to the reader."""

from __future__ import annotations

from typing import get_args

import pytest

from channels.reasons import _SAYS, read_reason
from policies.reasons import CompanyReason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Buenos días, la factura está en aprobación del área técnica.", "waiting_approval"),
        ("No nos llegó la factura", "not_received"), ("We have not received it", "not_received"),
        ("Está programada para el viernes", "payment_run"), ("It goes in the next payment run", "payment_run"),
        ("Falta la nota de crédito", "waiting_document"), ("Aplicamos retención en la fuente", "tax_withheld"),
        ("Es la retención en garantía del contrato", "offset_or_retention"), ("Hay una diferencia de precio", "difference"),
        ("Estamos sin liquidez este mes", "cash_short"), ("Estamos en recuperação judicial", "insolvent"),
        ("Aguarda aprovação do gestor", "waiting_approval"),
    ],
)  # fmt: skip
def test_a_plain_reason_is_read(text: str, reason: str) -> None:
    assert read_reason(text) == reason


@pytest.mark.parametrize(
    "text", ["", "¿Me llaman el lunes?", "Gracias", "No llegó la factura y falta la nota de crédito", "en aprobación " * 60]
)
def test_what_names_none_or_several_is_left_to_the_reader(text: str) -> None:
    assert read_reason(text) == ""


def test_the_words_are_for_the_reasons_there_are() -> None:
    assert {reason for reason, _ in _SAYS} == set(get_args(CompanyReason))
