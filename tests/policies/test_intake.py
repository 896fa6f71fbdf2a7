"""What is read out of a posted invoice: zones, addresses, references and sums, at both sides of each edge."""

from __future__ import annotations

from decimal import Decimal

import pytest

from policies.addresses import BadAddress, clean_address, clean_email, clean_phone, is_personal_ref
from policies.amounts import parse_amount
from policies.places import UnknownZone, default_language, known_zones, plain_region, zone_of, zone_of_phone, zones_of_countries
from policies.terms import Channel, DebtorKind


@pytest.mark.parametrize(
    ("country", "region", "zone"),
    [
        ("CO", "", "America/Bogota"),
        ("AR", "", "America/Argentina/Buenos_Aires"),  # twelve zones that keep one time
        ("MX", "CMX", "America/Mexico_City"),
        ("MX", "BCN", "America/Tijuana"),
        ("MX", "", None),
        ("CL", "MA", "America/Punta_Arenas"),
        ("CL", "RM", "America/Santiago"),
        ("BR", "AM", "America/Manaus"),
        ("ES", "CN", "Atlantic/Canary"),
        ("ES", "MD", "Europe/Madrid"),
        ("ES", "", "Europe/Madrid"),
        ("BR", "", None),
        ("US", "NY", "America/New_York"),
    ],
)
def test_the_zone_of_a_place(country: str, region: str, zone: str | None) -> None:
    assert zone_of(country, region) == zone


def test_an_unknown_country_or_state_says_what_to_give() -> None:
    with pytest.raises(UnknownZone, match="ISO 3166") as country:
        zone_of("XX")
    with pytest.raises(UnknownZone, match=r"account\.zone") as region:
        zone_of("US", "ZZ")
    assert (country.value.part, region.value.part) == ("country", "region")


def test_every_zone_of_the_table_is_one_of_the_pinned_tzdata() -> None:
    for country in zones_of_countries():
        assert set(zones_of_countries()[country]) <= known_zones()
    regions = {"US": "AK HI AZ CA TX FL", "CA": "BC QC NL", "AU": "NSW WA", "PT": "20 30 11", "EC": "W P"}
    assert all(zone_of(country, region) in known_zones() for country, some in regions.items() for region in some.split())


def test_a_telephone_settles_the_zone_only_when_it_points_to_one() -> None:
    assert zone_of_phone("US", "+12125550123") == "America/New_York"
    assert zone_of_phone("CL", "+56912345678") is None
    assert zone_of_phone("MX", "+12125550123") is None


def test_regions_and_languages_follow_the_country() -> None:
    assert [plain_region("CO", text) for text in ("CO-ANT", "ant", " ANT ", "")] == ["ANT", "ANT", "ANT", ""]
    assert [default_language(country) for country in ("CO", "BR", "US", "DE")] == ["es", "pt", "en", "en"]


@pytest.mark.parametrize("text", ["a@b.example", "a.b+c@sub.b.example", " Ana@B.Example ", "o'neil@b.example", "a@köln.example"])
def test_an_email_address_is_made_canonical(text: str) -> None:
    clean = clean_email(text)
    assert clean == clean_email(clean) and clean.rpartition("@")[2].isascii() and clean.rpartition("@")[2].islower()


_NO_EMAIL = ["", "a", "a@b", "@b.example", "a@b..example", "a b@c.example", "a@b.example,c@d.example", "a@-b.example"]


@pytest.mark.parametrize("text", [*_NO_EMAIL, "x" * 65 + "@b.example"])
def test_what_is_no_email_address_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(BadAddress) as bad:
        clean_email(text)
    assert len(text) < 3 or text not in str(bad.value)


def test_a_telephone_number_is_written_with_its_country() -> None:
    assert clean_phone("300 123 4567", "CO") == clean_phone("+57 (300) 123-4567", "MX") == "+573001234567"
    for text in ("12", "no phone", "+57 300 123 456", "300 123 4567 ext. 5"):
        with pytest.raises(BadAddress) as bad:
            clean_phone(text, "CO")
        assert text not in str(bad.value)


def test_a_letter_keeps_its_lines() -> None:
    assert clean_address(Channel.LETTER, " Calle 10  # 5-51 \n\n Bogotá ", "CO") == "Calle 10 # 5-51\nBogotá"
    with pytest.raises(BadAddress):
        clean_address(Channel.LETTER, "Bogotá", "CO")


@pytest.mark.parametrize(
    ("ref", "kind", "country", "personal"),
    [
        ("ana@correo.example", "business", "CO", True),
        ("+57 300 123 4567", "business", "CO", True),
        ("3001234567", "business", "CO", True),
        ("1020304050", "consumer", "CO", True),  # a cédula has no check digit
        ("C-1001", "consumer", "CO", False),
        ("0187-ERLSR", "business", "US", False),
        ("0200769623", "business", "US", False),
        ("900.123.456-8", "business", "CO", True),
        ("12.345.678-5", "business", "CL", True),
        ("12.345.678-4", "business", "CL", False),
        ("529.982.247-25", "business", "BR", True),
        ("529.982.247-24", "business", "BR", False),
        ("11.222.333/0001-81", "business", "BR", True),
        ("GODE561231GR8", "business", "MX", True),
        ("12345678Z", "business", "ES", True),
        ("20100070970", "business", "PE", True),
        ("30-50001091-2", "business", "AR", True),
        ("CLIENTE 15", "business", "MX", False),
    ],
)
def test_a_reference_that_is_an_address_or_a_tax_id_is_personal(ref: str, kind: str, country: str, personal: bool) -> None:
    assert is_personal_ref(ref, DebtorKind(kind), country) is personal


@pytest.mark.parametrize(
    ("text", "decimal", "amount"),
    [
        ("1.234.567,89", ",", "1234567.89"),
        ("1,234.56", ".", "1234.56"),
        ("1234.5", ".", "1234.5"),
        ("1 234 567", ".", "1234567"),
        ("-5,00", ",", "-5"),
        ("12", ",", "12"),
    ],
)
def test_a_sum_is_read_with_its_separators(text: str, decimal: str, amount: str) -> None:
    assert parse_amount(text, decimal) == Decimal(amount)


@pytest.mark.parametrize(
    ("text", "decimal"),
    [("1,5", "."), ("1.234,56", "."), ("1,234.56", ","), ("1.23,4", ","), ("", "."), ("€5x", "."), ("1e5", ".")],
)
def test_a_sum_in_the_other_style_is_refused_and_never_guessed(text: str, decimal: str) -> None:
    with pytest.raises(ValueError, match="not a sum"):
        parse_amount(text, decimal)
