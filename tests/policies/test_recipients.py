"""Whom a rung is for: roles in order, guardians, guarantors, the creditor's own house (F85)."""

from __future__ import annotations

from typing import Any

import pytest

from policies.facts import InvoiceFacts, Reach
from policies.manual import Manual, ManualError, load_manual
from policies.next_step import next_step
from policies.recipients import tiers
from policies.steps import Ask, Close, Contact, Wait
from policies.terms import Channel
from tests.policies.samples import invoice
from tests.policies.test_next_step import at, manual, obey

DUE = at("2026-03-05 09:00")


def person(role: str, channel: Channel = Channel.EMAIL, **change: Any) -> Reach:
    fields: dict[str, Any] = {"person_id": role, "address_id": f"{role}-{channel}", "role": role, "channel": channel}
    return Reach(**(fields | {"permitted": True} | change))


def rung(more: str = "", template: str = "first_reminder", channels: str = "email, letter") -> Manual:
    return manual(ladder=f"  - {{rung: S2, day: D+3, channels: [{channels}], template: {template}{more}}}\n")


def to(facts: InvoiceFacts, by: Manual) -> str:
    step = obey(facts, DUE, by)
    return step.person_id if isinstance(step, Contact) else step.kind


def owing(*people: Reach, **change: Any) -> InvoiceFacts:
    return invoice(reach=people, **change)


@pytest.mark.parametrize(
    ("roles", "who"),
    [
        ("", "payables"), (", roles: [approver]", "approver"), (", roles: [treasury, owner]", "owner"),
        (", roles: [legal]", "payables"), (", roles: [sales]", "payables"),
    ],
)  # fmt: skip
def test_a_rung_goes_to_the_first_of_its_roles_that_there_is_else_to_payables(roles: str, who: str) -> None:
    people = [person(role) for role in ("sales", "director", "owner", "approver", "payables")]
    assert to(owing(*people), rung(roles)) == who


def test_the_role_comes_before_the_channel_where_a_rung_names_one() -> None:
    people = (person("payables", Channel.LETTER), person("owner"))
    assert to(owing(*people), rung(", roles: [owner]", channels="letter, email")) == "owner"
    assert to(owing(*people), rung(channels="letter, email")) == "payables"


def test_who_may_not_be_written_to_is_passed_over_for_the_next_role() -> None:
    people = (person("owner", permitted=False, why_not="opted out"), person("treasury"), person("payables"))
    assert to(owing(*people), rung(", roles: [owner, treasury]")) == "treasury"


@pytest.mark.parametrize("role", ["sales", "reference", "employer", "family", "neighbour", "abogado"])
def test_who_neither_owes_nor_pays_is_never_written_to(role: str) -> None:
    assert to(owing(person(role)), rung()) == "close"
    assert to(owing(person(role)), rung(f", roles: [{role}]")) == "close"


@pytest.mark.parametrize("role", ["guarantor", "avalista", "codeudor", "fiador"])
def test_a_guarantor_is_told_only_by_a_rung_for_guarantors(role: str) -> None:
    people = (person("holder"), person(role))
    assert to(owing(person(role)), rung()) == "close"
    assert to(owing(*people), rung()) == "holder"
    assert to(owing(*people), rung(", roles: [guarantor]", template="guarantor_notice")) == role
    assert to(owing(person("holder")), rung(", roles: [guarantor]", template="guarantor_notice")) == "close"


def test_a_minor_is_written_to_through_the_guardian_alone() -> None:
    people = (person("holder"), person("tutor"))
    assert to(owing(*people), rung()) == "holder"
    assert to(owing(*people, minor=True), rung()) == "tutor"
    assert to(owing(*people, minor=True), rung(", roles: [owner]")) == "tutor"


def test_a_minor_without_a_guardian_is_a_task_and_nothing_else() -> None:
    facts = owing(person("holder"), minor=True)
    assert isinstance(obey(facts, at("2026-03-04 09:00"), rung()), Wait)
    asked = next_asked(facts, rung())
    assert (asked.task, asked.rules) == ("find_guardian", ("ladder.S2", "minor.no_guardian"))


@pytest.mark.parametrize("related", ["employee", "related_party", "shareholder"])
def test_the_creditors_own_house_gets_courtesies_and_a_person_takes_the_rest(related: str) -> None:
    facts = owing(person("holder"), related=related)
    assert to(facts, rung()) == "holder"
    for firm in (rung(", firm: true"), rung(template="last_days"), rung(template="decision_maker")):
        assert next_asked(facts, firm).task == "speak_with_related"
        assert to(facts.model_copy(update={"related": ""}), firm) == "holder"


def test_an_employee_among_the_contacts_hears_nothing_firm() -> None:
    people = (person("employee"),)
    assert to(owing(*people), rung()) == "employee"
    assert to(owing(*people), rung(", firm: true")) == "close"


def test_a_rung_without_roles_keeps_the_accounts_order_within_a_role() -> None:
    two = (person("holder", address_id="first"), person("holder", address_id="second"))
    assert [r.address_id for tier in tiers(two, ()) for r in tier] == ["first", "second"]


def test_a_role_is_one_word() -> None:
    with pytest.raises(ManualError, match=r"roles"):
        load_manual(BAD, "t.yaml")


BAD = """
name: t
version: 1
ladder:
  - {rung: S1, day: D, channels: [email], template: pre_due, roles: [The Boss]}
"""


def next_asked(facts: InvoiceFacts, by: Manual) -> Ask:
    step = next_step(facts, by, DUE)
    assert isinstance(step, Ask), step
    assert isinstance(obey(facts, DUE, by), Close)
    return step
