"""What collectors say: linted as messages are, in every language and register, and telling strangers nothing."""

from __future__ import annotations

import re
from dataclasses import astuple
from itertools import product

import pytest

from messages.lint import lint_words
from messages.notices import REVEALING
from messages.registers import REGISTERS
from messages.scripts import SITUATIONS, STAGES, TO_ANYBODY, Spoken, script, stage_of

SPOKEN = Spoken(
    person="Ana Restrepo", creditor="Brill Servicios SAS", number="F-1001", amount="250.000 COP", due="lunes 16 de marzo",
    team="Cuentas", phone="+57 601 555 0100", caller="Brill", promised="viernes 20 de marzo", agreed="100.000 COP, 27 de marzo",
)  # fmt: skip
WAYS = [(language, register) for language, registers in REGISTERS.items() for register in registers]


@pytest.mark.parametrize(("language", "register"), WAYS)
@pytest.mark.parametrize("situation", SITUATIONS)
def test_every_script_passes_the_linter_whole_and_leaves_nothing_unsaid(language: str, register: str, situation: str) -> None:
    for stage in STAGES:
        for values in (SPOKEN, Spoken("", "Brill", "F-1", "1,00 EUR", "16 de marzo")):
            said = script(stage, situation, language, register, values)  # type: ignore[arg-type]
            whole = " ".join(part for part in astuple(said)[:-1] if part)
            # A formal call may mention what the written notice says; the words themselves are still ours.
            assert lint_words(whole, language, stage="formal" if stage == "formal" else "early") == [], (stage, whole)
            assert not re.search(r"[{}\[\]|]|  ", whole), whole


@pytest.mark.parametrize(("language", "register"), WAYS)
def test_until_the_right_person_is_confirmed_nothing_tells_of_a_debt(language: str, register: str) -> None:
    for values in (SPOKEN, Spoken("", "Brill", SPOKEN.number, SPOKEN.amount, SPOKEN.due)):
        for stage, situation in product(STAGES, SITUATIONS):
            said = script(stage, situation, language, register, values)  # type: ignore[arg-type]
            heard = f"{said.opening} {said.check}" + (f" {said.answer}" if situation in TO_ANYBODY else "")
            assert not REVEALING[language].search(heard), heard
            assert SPOKEN.number not in heard and SPOKEN.amount not in heard and SPOKEN.due not in heard
            if situation in TO_ANYBODY:
                assert (said.check, said.identify, said.purpose, said.closing) == ("", "", "", "")


def test_the_registers_are_three_ways_of_speaking_to_one_person() -> None:
    said = {register: script("middle", "promise_broken", "es", register, SPOKEN).answer for register in REGISTERS["es"]}
    assert "¿Prefieres" in said["tu"] and "¿Prefiere " in said["usted"] and "¿Preferís" in said["vos"]


def test_five_things_are_never_said_and_an_unknown_language_is_refused() -> None:
    assert {len(script("early", "first_call", language, "usted", SPOKEN).never) for language in ("es", "pt", "en")} == {5}
    with pytest.raises(ValueError, match="no language"):
        script("early", "first_call", "fr", "usted", SPOKEN)


@pytest.mark.parametrize(
    ("days", "firm", "agreed", "stage"),
    [(-3, False, False, "before"), (0, False, False, "before"), (1, False, False, "early"), (10, False, False, "early"),
     (11, False, False, "middle"), (30, False, False, "middle"), (31, False, False, "late"), (60, False, False, "late"),
     (61, False, False, "formal"), (5, True, False, "formal"), (90, True, True, "agreed")],
)  # fmt: skip
def test_the_stage_follows_the_days_the_firmness_and_an_agreement(days: int, firm: bool, agreed: bool, stage: str) -> None:
    assert stage_of(days, firm=firm, agreed=agreed) == stage
