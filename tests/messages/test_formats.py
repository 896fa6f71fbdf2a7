"""Money, dates, registers and SMS lengths."""

from __future__ import annotations

from datetime import date

import pytest

from messages import sms
from messages.formats import day, money, short_day
from messages.registers import default_register

TODAY = date(2026, 6, 1)


@pytest.mark.parametrize(
    ("amount", "currency", "language", "country", "said"),
    [
        (15_000_000, "COP", "es", "CO", "150.000 COP"),
        (15_000_050, "COP", "es", "CO", "150.000,50 COP"),
        (1_250_990, "CLP", "es", "CL", "1.250.990 CLP"),
        (123_456, "MXN", "es", "MX", "1,234.56 MXN"),
        (123_456, "EUR", "es", "ES", "1.234,56 €"),
        (1_234_567, "EUR", "es", "ES", "12.345,67 €"),
        (123_456, "EUR", "en", "ES", "€1,234.56"),
        (123_456, "BRL", "pt", "BR", "R$ 1.234,56"),
        (123_456, "USD", "en", "US", "$1,234.56"),
        (123_456, "USD", "es", "US", "$1,234.56"),
        (123_456, "USD", "es", "AR", "1.234,56 USD"),
        (123_456, "GBP", "en", "GB", "£1,234.56"),
        (123_456, "COP", "en", "CO", "COP 1,234.56"),
    ],
)
def test_a_sum_is_written_as_in_its_country_with_the_code_where_a_sign_is_not_enough(
    amount: int, currency: str, language: str, country: str, said: str
) -> None:
    assert money(amount, currency, language, country).replace("\u00a0", " ") == said


def test_an_sms_writes_the_code_and_no_hard_space() -> None:
    assert money(123_456, "BRL", "pt", "BR", plain=True) == "1.234,56 BRL"
    assert sms.is_gsm7(money(123_456, "EUR", "es", "ES", plain=True))


@pytest.mark.parametrize(
    ("when", "language", "country", "said"),
    [
        (date(2026, 6, 12), "es", "CO", "viernes 12 de junio"),
        (date(2026, 6, 12), "pt", "BR", "12 de junho (sexta-feira)"),
        (date(2026, 7, 1), "pt", "BR", "1º de julho (quarta-feira)"),
        (date(2026, 6, 12), "en", "GB", "Friday 12 June"),
        (date(2026, 6, 12), "en", "US", "Friday, June 12"),
        (date(2027, 3, 28), "es", "CO", "domingo 28 de marzo"),
        (date(2027, 3, 29), "es", "CO", "lunes 29 de marzo de 2027"),
        (date(2025, 8, 4), "es", "CO", "lunes 4 de agosto de 2025"),
    ],
)
def test_a_date_is_in_words_with_its_year_when_it_is_far(when: date, language: str, country: str, said: str) -> None:
    assert day(when, TODAY, language, country) == said


def test_a_letter_always_writes_the_year() -> None:
    assert day(date(2026, 6, 12), TODAY, "es", "CO", year=True) == "viernes 12 de junio de 2026"
    assert short_day(date(2026, 3, 12), TODAY, "pt", "BR", year=True) == "12 de mar. de 2026"


@pytest.mark.parametrize(
    ("country", "consumer", "credit", "business"),
    [
        ("ES", "tu", "tu", "usted"), ("MX", "tu", "usted", "usted"), ("CO", "usted", "usted", "usted"),
        ("CL", "tu", "usted", "usted"), ("PE", "usted", "usted", "usted"), ("EC", "usted", "usted", "usted"),
        ("BO", "usted", "usted", "usted"), ("AR", "vos", "vos", "usted"), ("UY", "vos", "vos", "usted"),
        ("US", "usted", "usted", "usted"),
    ],
)  # fmt: skip
def test_the_house_register_by_country_and_kind(country: str, consumer: str, credit: str, business: str) -> None:
    assert default_register("es", country, "consumer") == consumer
    assert default_register("es", country, "consumer", credit=True) == credit
    assert default_register("es", country, "business") == business
    assert default_register("pt", country, "consumer") == "voce"
    assert default_register("en", country, "consumer") == "none"


@pytest.mark.parametrize(
    ("text", "count"),
    [("a" * 160, 1), ("a" * 161, 2), ("a" * 306, 2), ("a" * 307, 3), ("ñ" * 160, 1), ("á" + "a" * 69, 1), ("á" + "a" * 70, 2),
     ("€" * 80, 1), ("€" * 81, 2), ("😀" * 35, 1), ("😀" * 36, 2)],
)  # fmt: skip
def test_sms_segments_at_both_sides_of_each_edge(text: str, count: int) -> None:
    assert sms.segments(text) == count


def test_letters_outside_the_alphabet_lose_their_accent_and_the_others_keep_it() -> None:
    assert sms.to_gsm7("Bogotá, São João, Peña, Éxito…") == "Bogota, Sao Joao, Peña, Éxito..."


def test_the_first_text_of_one_segment_is_taken_else_the_shortest() -> None:
    assert sms.first_that_fits(["a" * 161, "b" * 150, "c"]) == "b" * 150
    assert sms.first_that_fits(["a" * 400, "b" * 200]) == "b" * 200
