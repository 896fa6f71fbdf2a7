"""Every template against the law of every pack: the notices are said, nothing forbidden is done, and a planted bug is caught."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Literal, get_args

import pytest

from messages.catalogue import TEMPLATES, TextError, speaks_of
from messages.lint import lint
from messages.lint_packs import pack_words
from messages.notices import texts
from messages.render import MessageValues, Rendered, render
from policies.facts import LawTerms
from policies.law.base import LAW_CHANNELS
from policies.law.model import Content, MustSay
from policies.law.notices import NO_LAW, Speaks, Wording, wording
from policies.law.packs import packs_for, shipped_packs
from policies.law.wish import law_channel
from policies.terms import Channel, DebtorKind
from tests.messages.samples import ANA, TWELVE

Stated = dict[str, str | bool | int | tuple[str, ...]]
TODAY = date(2026, 12, 8)
SAID = {
    "address": "Calle 93 # 14-20, Bogotá", "tax_id": "12.345.678/0001-95", "agency": "Andes Servicios",
    "phone": "+57 601 555 0110",
    "agency_address": "Av. Reforma 500, México", "agency_phone": "+52 55 5555 0110", "collector_name": "Ana Torres",
    "responsible_persons": "Luis Vega", "complaints_unit": "quejas@gimnasioandes.co", "permit_number": "700123",
    "registered_as": "ON 4711", "product": "gym membership",
}  # fmt: skip
SPOKEN = {"BR": ("pt", "voce"), "US": ("en", "none"), "CA": ("en", "none"), "GB": ("en", "none"), "AU": ("en", "none"),
          "IN": ("en", "none"), "ZA": ("en", "none"), "AR": ("es", "vos"), "ES": ("es", "tu"), "MX": ("es", "tu")}  # fmt: skip
MONEY = {"BR": "BRL", "US": "USD", "CA": "CAD", "CL": "CLP", "MX": "MXN", "CO": "COP", "ES": "EUR", "GB": "GBP"}
VALUES = replace(ANA, said=SAID, phone=SAID["phone"], slug="andes")


def values_in(country: str, **change: object) -> MessageValues:
    return replace(VALUES, country=country, currency=MONEY.get(country, "USD"), **change)  # type: ignore[arg-type]


def bound(
    place: str, *, party: Literal["first", "third"] = "third", channel: Channel = Channel.EMAIL, first: bool = True,
    kind: DebtorKind = DebtorKind.CONSUMER, speaks: Speaks = "claim", on: date = TODAY, facts: Stated | None = None,
) -> Wording:  # fmt: skip
    law = LawTerms(packs=packs_for(*place.split("-")), zones=("UTC",), party=party, debtor=kind, facts=facts or {})
    return wording(law, channel=channel, on=on, first_contact=first, speaks=speaks)


def items(found: Wording) -> set[str]:
    return {notice.item for notice in found.says}


def written(
    name: str, channel: Channel, law: Wording, country: str, values: MessageValues | None = None, language: str = ""
) -> Rendered:
    spoken = {"es": ("es", "tu"), "pt": ("pt", "voce"), "en": ("en", "none")}.get(language) or SPOKEN.get(
        country, ("es", "usted")
    )
    return render(name, channel=channel, language=spoken[0], register=spoken[1], values=values or values_in(country), wording=law)


# -- every pack, every template


def _places() -> Iterator[tuple[str, str]]:
    for pack in shipped_packs():
        if pack.country and any(isinstance(rule, MustSay) for rule in pack.rules):
            region = f"-{pack.region.removeprefix(pack.country + '-')}" if pack.region else ""
            yield pack.country + region, pack.country


PLACES = sorted(set(_places()))
_SEEN: dict[tuple[object, ...], str] = {}
"""Which place and party has checked a combination: the same words need no second look."""


@pytest.mark.parametrize(("place", "country"), PLACES)
@pytest.mark.parametrize("party", ["first", "third"])
def test_every_template_says_what_the_place_wants_or_leaves_the_channel(
    place: str, country: str, party: Literal["first", "third"]
) -> None:
    wrong, done = [], set()
    for name in TEMPLATES:
        for channel in Channel:
            for first in (True, False):
                law = bound(place, party=party, channel=channel, first=first, speaks=speaks_of(name))
                key = (name, channel, country, frozenset(items(law)), frozenset(ban.deed for ban in law.never))
                if _SEEN.setdefault(key, place + party) != place + party or (first is False and key in done):
                    continue
                done.add(key)
                values = values_in(country, first_contact=first)
                try:
                    message = written(name, channel, law, country, values)
                except TextError as error:
                    room = channel in (Channel.VOICE, Channel.SMS, Channel.WHATSAPP)
                    if not room or "cannot say before" not in str(error) and "segments" not in str(error):
                        wrong.append(f"{name} {channel}: {error}")
                    continue
                language = SPOKEN.get(country, ("es", ""))[0]
                wrong += [f"{name} {channel}: {f}" for f in lint(message, channel, language, name, values=values, wording=law)]
    assert wrong == []


def _nevers() -> Iterator[tuple[str, str, Literal["first", "third"]]]:
    for pack in shipped_packs():
        if pack.country and any(isinstance(rule, Content) for rule in pack.rules):
            region = f"-{pack.region.removeprefix(pack.country + '-')}" if pack.region else ""
            yield pack.country + region, pack.country, "third"


@pytest.mark.parametrize("language", ["es", "pt", "en"])
def test_no_template_does_what_any_pack_of_its_language_forbids(language: str) -> None:
    facts: Stated = {"creditor_type": "bank", "debt_type": "consumer_credit"}
    wrong = []
    for place, country, party in sorted(set(_nevers())):
        if SPOKEN.get(country, ("es", ""))[0] != language:
            continue
        law = bound(place, party=party, facts=facts)._replace(says=())
        for name in TEMPLATES:
            for channel in (Channel.EMAIL, Channel.WHATSAPP, Channel.SMS):
                message = _plain(name, channel, language)
                found = lint(message, channel, language, name, values=VALUES, wording=law)
                wrong += [f"{place} {name} {channel}: {finding}" for finding in found]
    assert wrong == []


_KEPT: dict[tuple[str, Channel, str], Rendered] = {}


def _plain(name: str, channel: Channel, language: str) -> Rendered:
    key = (name, channel, language)
    if key not in _KEPT:
        _KEPT[key] = written(name, channel, NO_LAW, "CO", VALUES, language)
    return _KEPT[key]


def test_every_item_and_every_deed_of_the_packs_is_known_to_the_texts_and_to_the_linter() -> None:
    deeds, signs = pack_words()
    ours = {law_channel(channel) for channel in Channel}
    for pack in shipped_packs():
        for rule in pack.rules:
            if isinstance(rule, Content):
                assert set(rule.never) <= set(deeds), rule.id
            if isinstance(rule, MustSay) and ours & set(rule.channels or LAW_CHANNELS):
                for item in rule.items:
                    assert item in signs, f"{rule.id}: {item}"
                    assert item in texts().items or f"{item}@{pack.jurisdiction}" in texts().items, f"{rule.id}: {item}"
    assert set(get_args(Speaks)) == {speaks_of(name) for name in TEMPLATES}


# -- planted bugs: one of each kind is caught


@pytest.mark.parametrize(
    ("deed", "place", "language", "planted"),
    [
        ("asks_why", "CO", "es", "¿Por qué no se ha pagado?"),
        ("asks_why", "CO", "es", "Cuéntenos qué pasó: ¿qué dificultad hubo? ¿Cuál fue la causa del atraso?"),
        ("asks_why", "CO", "es", "¿Tuvo algún inconveniente para pagar?"),
        ("asks_why", "CO", "en", "What happened with this payment?"),
        ("asks_why", "CO", "pt", "Qual foi o motivo da demora?"),
        ("mentions_court", "CL", "es", "Si no hay pago, el caso pasa al tribunal."),
        ("looks_like_court_paper", "MX", "es", "Citatorio: preséntese a esta oficina."),
        ("threatens", "BR", "pt", "Se não pagar, penhoraremos seus bens."),
        ("humiliates", "PE", "es", "La gente honrada paga sus cuentas."),
        ("insults", "ES", "es", "Su nombre figura entre los morosos."),
        ("shows_debt_publicly", "AR", "es", "Publicaremos su nombre en una lista."),
        ("false_statement", "ES", "es", "Última oportunidad: solo hoy."),
        ("poses_as_authority", "MX", "es", "Le escribe la Superintendencia de Cobros."),
        ("asks_payment_to_agency", "MX", "es", "Pague a nuestra agencia el importe completo."),
        ("harasses", "ZA", "en", "Pay immediately."),
    ],
)
def test_a_forbidden_sentence_in_a_template_is_caught(deed: str, place: str, language: str, planted: str) -> None:
    law = bound(place)
    message = written("first_reminder", Channel.EMAIL, law._replace(says=()), place, VALUES, language)
    clean = [
        f.rule for f in lint(message, Channel.EMAIL, language, "first_reminder", values=VALUES, wording=law._replace(says=()))
    ]
    assert clean == []
    bad = replace(message, text=message.text.replace("\n\n", f"\n\n{planted} ", 1))
    found = {f.rule: f.why for f in lint(bad, Channel.EMAIL, language, "first_reminder", values=VALUES, wording=law)}
    assert deed in found and " forbids it (" in found[deed]


def test_court_words_that_a_formal_text_may_use_elsewhere_are_refused_in_chile() -> None:
    message = written("final_demand", Channel.EMAIL, NO_LAW, "CL", language="es")
    formal = replace(message, text=message.text.replace("una agencia externa", "la vía judicial"))
    values = values_in("CL")
    assert lint(formal, Channel.EMAIL, "es", "final_demand", values=values) == []
    law = bound("CL")._replace(says=())
    assert {f.rule for f in lint(formal, Channel.EMAIL, "es", "final_demand", values=values, wording=law)} == {"mentions_court"}


@pytest.mark.parametrize(("place", "language"), [("CL", "es"), ("US", "en"), ("MX", "es"), ("BR", "pt"), ("CA-ON", "en")])
@pytest.mark.parametrize("channel", [Channel.EMAIL, Channel.WHATSAPP, Channel.LETTER])
def test_a_message_without_its_notices_is_caught(place: str, language: str, channel: Channel) -> None:
    law, values = bound(place, channel=channel), values_in(place[:2])
    bare = written("first_reminder", channel, NO_LAW, place[:2], values, language)
    whole = written("first_reminder", channel, law, place[:2], values, language)
    missing = {f.where for f in lint(bare, channel, language, "first_reminder", values=values, wording=law)}
    assert missing == ({notice.item for notice in law.says if f"{notice.item}" not in SAID_ALREADY})
    assert lint(whole, channel, language, "first_reminder", values=values, wording=law) == []
    assert bare.version != whole.version or not law.says


SAID_ALREADY = {"creditor", "amount", "how_to_pay", "opt_out", "contract"}
"""What the texts say themselves on every channel."""


# -- calls and short messages: nothing before the person is confirmed reveals a debt


@pytest.mark.parametrize("place", ["US", "CA-QC"])
@pytest.mark.parametrize("language", ["es", "pt", "en"])
def test_a_call_of_an_agency_says_a_name_and_a_number_and_nothing_else(place: str, language: str) -> None:
    law = bound(place, channel=Channel.VOICE)
    assert law.nothing_else
    script = written("first_reminder", Channel.VOICE, law, place[:2], VALUES, language)
    assert "Andes Servicios" in script.text and "Ana Torres" in script.text and "Gimnasio" not in script.text
    assert lint(script, Channel.VOICE, language, "first_reminder", values=VALUES, wording=law) == []
    for more in (" Factura F-1042.", " Your invoice is due.", " Sua fatura venceu."):
        said = replace(script, text=script.text + more)
        assert "says_anything_else" in {f.rule for f in lint(said, Channel.VOICE, language, "x", values=VALUES, wording=law)}
    usual = written("first_reminder", Channel.VOICE, NO_LAW, place[:2], VALUES, language)
    assert "says_anything_else" in {f.rule for f in lint(usual, Channel.VOICE, language, "x", values=VALUES, wording=law)}


@pytest.mark.parametrize(("language", "told"), [("es", "una factura"), ("pt", "uma dívida"), ("en", "a payment")])
def test_a_call_that_tells_whoever_answers_of_a_debt_is_refused_everywhere(language: str, told: str) -> None:
    script = written("first_reminder", Channel.VOICE, NO_LAW, "CO", VALUES, language)
    assert lint(script, Channel.VOICE, language, "first_reminder", values=VALUES) == []
    said = replace(script, text=f"{script.text} {told}.")
    assert [f.rule for f in lint(said, Channel.VOICE, language, "first_reminder", values=VALUES)] == ["reveals_debt"]


def test_a_call_is_not_made_where_the_name_of_the_caller_tells_of_a_debt() -> None:
    told = replace(VALUES, said=SAID | {"agency": "Cobranzas del Norte"})
    with pytest.raises(TextError, match="the name of who calls does"):
        written("first_reminder", Channel.VOICE, bound("US", channel=Channel.VOICE), "US", told)


@pytest.mark.parametrize("place", ["CL", "MX"])
def test_what_cannot_be_said_to_whoever_answers_leaves_the_call_to_another_channel(place: str) -> None:
    with pytest.raises(TextError, match="a call cannot say before the person is confirmed"):
        written("first_reminder", Channel.VOICE, bound(place, channel=Channel.VOICE), place)


@pytest.mark.parametrize("place", ["CL", "US", "US-NYC", "BR"])
def test_a_short_message_with_notices_has_three_segments_and_a_silent_beginning(place: str) -> None:
    for name in TEMPLATES:
        law = bound(place, channel=Channel.SMS, speaks=speaks_of(name))
        message = written(name, Channel.SMS, law, place[:2])
        assert message.segments <= 3
        assert (
            lint(message, Channel.SMS, SPOKEN.get(place[:2], ("es", ""))[0], name, values=values_in(place[:2]), wording=law) == []
        )


def test_a_message_that_has_no_room_for_its_notices_gives_way() -> None:
    long_name = replace(values_in("MX"), said=SAID | {"responsible_persons": "Luis Vega, " * 80})
    with pytest.raises(TextError, match="of 3 segments"):
        written("first_reminder", Channel.SMS, bound("MX", channel=Channel.SMS), "MX", long_name)
    with pytest.raises(TextError, match="of 1024 characters"):
        written("first_reminder", Channel.WHATSAPP, bound("MX", channel=Channel.WHATSAPP), "MX", long_name)


# -- which notices bind, and with which data


def test_an_agency_in_the_united_states_says_who_it_is_first_and_later() -> None:
    assert items(bound("US")) == {"attempt_to_collect", "information_will_be_used", "opt_out"}
    assert items(bound("US", first=False)) == {"from_debt_collector", "opt_out"}
    assert items(bound("US", party="first", on=date(2026, 8, 31))) == set()
    assert items(bound("US", kind=DebtorKind.BUSINESS)) == set()
    later = written("first_reminder", Channel.EMAIL, bound("US", first=False), "US").text
    assert "from Andes Servicios, a debt collector" in later and "attempt to collect" not in later


def test_a_notice_counts_from_the_day_its_rule_is_in_force() -> None:
    for day, wanted in ((date(2021, 4, 19), False), (date(2021, 4, 20), True)):
        assert ("not_an_enforcement_procedure" in items(bound("CL", on=day))) is wanted


def test_a_notice_names_its_rule_and_where_it_stands_in_the_law() -> None:
    notice = next(n for n in bound("BR").says if n.item == "creditor_tax_id")
    assert (notice.rule, notice.citation) == ("BR.documents", "Lei 8.078/1990 (CDC) art. 42-A")


@pytest.mark.parametrize(
    ("place", "party", "lacking", "told"),
    [
        ("BR", "first", "tax_id", "BR.documents wants creditor_tax_id: `puntual creditor set andes --say tax_id=...`"),
        ("MX", "third", "complaints_unit", "`puntual creditor set andes --say complaints_unit=...`"),
        ("CA-ON", "third", "registered_as", "`puntual creditor set andes --say registered_as=...`"),
    ],
)
def test_what_the_creditor_has_not_told_is_asked_for_with_its_command(
    place: str, party: Literal["first", "third"], lacking: str, told: str
) -> None:
    values = replace(values_in(place[:2]), said={k: v for k, v in SAID.items() if k != lacking})
    with pytest.raises(TextError) as refused:
        written("first_reminder", Channel.EMAIL, bound(place, party=party), place[:2], values)
    assert told in str(refused.value)


def test_in_chile_the_notices_stand_before_the_rest_and_tell_what_was_added() -> None:
    law, values = bound("CL"), values_in("CL", interest_minor=1200, costs_minor=300)
    for channel in (Channel.EMAIL, Channel.WHATSAPP):
        text = written("first_reminder", channel, law, "CL", values).text.replace("\u00a0", " ")
        assert text.index("Origen: factura F-1042") < text.index("Aún no vemos")
        assert "Incluye 1.200 CLP de intereses y 300 CLP de gastos de cobranza." in text


def test_an_unconfirmed_holder_and_a_receipt_are_told_only_what_may_be_told() -> None:
    assert items(bound("CL", speaks="nobody")) == {"creditor"} == items(bound("CL", speaks="receipt"))
    assert items(bound("BR", speaks="nobody")) == {"creditor", "creditor_address", "creditor_tax_id"}
    several = replace(values_in("CL"), lines=TWELVE, several=True)
    assert "12 facturas de Gimnasio Andes S.A.S." in written("several_overdue", Channel.EMAIL, bound("CL"), "CL", several).text
