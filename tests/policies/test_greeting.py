"""Greeting and register: what may be printed, and what is refused when it comes in (playbook 6)."""

from __future__ import annotations

from typing import Any

import pytest

from policies.greeting import bare_salutation, plain_register, why_not_salutation, why_not_short_name
from policies.intake import Intake, Unreadable, read_invoice
from policies.intake_model import InvoiceIn
from tests import cast


@pytest.mark.parametrize(
    ("given", "bare"),
    [
        ("Hola, Ana:", "Ana"), ("Ana", "Ana"), ("  Sra. Gómez, ", "Sra. Gómez"), ("Olá, João,", "João"),
        ("Dear Ms Hope", "Ms Hope"), ("Hola:", ""), ("Estimada Ana", "Ana"), ("Holanda Ruiz", "Holanda Ruiz"), ("", ""),
    ],
)  # fmt: skip
def test_the_texts_bring_their_own_greeting(given: str, bare: str) -> None:
    assert bare_salutation(given) == bare


@pytest.mark.parametrize(
    ("salutation", "said"),
    [("ANA", "all capitals"), ("PEREZ GOMEZ MARIA", "all capitals"), ("Estimado/a cliente", "two genders"),
     ("Sr./Sra. Gómez", "two genders"), ("amig@", "two genders")],
)  # fmt: skip
def test_capitals_and_two_genders_are_refused_with_a_hint(salutation: str, said: str) -> None:
    assert said in why_not_salutation(salutation)


@pytest.mark.parametrize("salutation", ["Ana", "J. P.", "JP", "Sra. Gómez", "María José", "de la O", "D. Álvaro"])
def test_a_name_as_people_write_it_is_taken(salutation: str) -> None:
    assert why_not_salutation(salutation) == ""


def test_a_company_may_be_an_acronym_and_not_a_shout() -> None:
    assert why_not_short_name("SURA") == why_not_short_name("Andina") == "" and why_not_short_name("COMERCIAL ANDINA")


@pytest.mark.parametrize(("given", "plain"), [("tú", "tu"), ("você", "voce"), ("usted", "usted"), ("", "")])
def test_registers_are_written_one_way(given: str, plain: str) -> None:
    assert plain_register(given) == plain


def posted(**account: Any) -> Intake:
    body = cast.invoice_body(account=cast.debtor_ana(**account))
    return read_invoice(InvoiceIn.model_validate(body), creditor_country="CO")


@pytest.mark.parametrize(
    ("account", "pointer"),
    [
        ({"register": "thou"}, "/account/register"),
        ({"contacts": [{"salutation": "ANA"}]}, "/account/contacts/0/salutation"),
        ({"short_name": "Ana"}, "/account/short_name"),
        ({"kind": "business", "short_name": "COMERCIAL ANDINA"}, "/account/short_name"),
        ({"payer": "C-1001"}, "/account/payer"),
    ],
)
def test_an_account_that_makes_no_sense_is_refused_with_its_place(account: dict[str, Any], pointer: str) -> None:
    with pytest.raises(Unreadable) as refused:
        posted(**account)
    assert [problem.pointer for problem in refused.value.problems] == [pointer]
    assert "ANA" not in str(refused.value) or "ANDINA" in str(refused.value)


def test_what_is_said_of_an_account_becomes_its_terms() -> None:
    habits = {"payment_days": ["fri"], "portal": {"name": "Ariba"}}
    told = posted(kind="business", minor=True, related="employee", short_name="Andina", habits=habits, payer="C-9", parent="C-8")
    assert told.terms == {"minor": True, "related": "employee", "short_name": "Andina", "habits": habits}
    assert told.links == (("payer", "C-9"), ("parent", "C-8"))
    assert posted().terms == {} and posted().links == ()
