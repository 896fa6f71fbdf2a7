"""A letter is one page of PDF, and the same letter is the same file."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from messages.letter import letter_pdf
from messages.render import TextError, render
from policies.terms import Channel
from tests.messages.samples import ANA, FULL_OFFER, SPEAKERS, TWELVE


@pytest.mark.parametrize(("language", "register"), SPEAKERS)
@pytest.mark.parametrize("name", ["final_demand", "formal_demand", "open_items", "record_notice", "paid_receipt", "holder_check"])
def test_a_letter_is_a_pdf_of_one_page(name: str, language: str, register: str) -> None:
    values = replace(ANA, lines=TWELVE, offer=FULL_OFFER, first_contact=True, salutation='#panic("no") *a* $b$')
    message = render(name, channel=Channel.LETTER, language=language, register=register, values=values)
    pdf = letter_pdf(
        message, language=language, address_lines=["Ana María Gómez", "Calle 12 # 34-56", "Bogotá"], reference="PT-000123"
    )
    assert pdf.startswith(b"%PDF-") and len(re.findall(rb"/Type ?/Page\b(?!s)", pdf)) == 1
    assert pdf == letter_pdf(
        message, language=language, address_lines=["Ana María Gómez", "Calle 12 # 34-56", "Bogotá"], reference="PT-000123"
    )


def test_only_a_letter_becomes_a_letter() -> None:
    message = render("final_demand", channel=Channel.EMAIL, language="es", register="usted", values=ANA)
    with pytest.raises(TextError, match="not rendered for the letter channel"):
        letter_pdf(message, language="es", address_lines=[], reference="PT-1")
