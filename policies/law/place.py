"""Which law speaks for a debt: from the place of the account, what the creditor is, and what the debtor asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from policies.facts import LawTerms
from policies.law.packs import packs_for
from policies.terms import DebtorKind, Model


class CreditorLaw(Model):
    """What a creditor has said about itself; `puntual creditor law` sets it."""

    party: Literal["first", "third"] = "first"
    creditor_type: Annotated[str, Field(pattern=r"^[a-z_]{0,40}$")] = ""
    settings: dict[str, dict[str, str]] = {}
    packs: Literal["", "none"] = ""
    """`none` only in a rehearsal of an old book, whose contacts are never made."""


def terms_of(
    *, country: str, region: str, zone: str, kind: str, creditor: Mapping[str, Any] | None, account: Mapping[str, Any]
) -> LawTerms | None:
    """The terms for one account; None only in the rehearsal of an old book.

    `creditor` is CreditorLaw as data, `account` the account's terms (city, debt_type, loan_type, zones in doubt, hours).
    """
    said = CreditorLaw.model_validate(creditor or {})
    if said.packs == "none":
        return None
    facts: dict[str, Any] = {}
    if said.creditor_type:
        facts["creditor_type"] = said.creditor_type
    for name in ("debt_type", "loan_type", "notice_sent"):
        if account.get(name):
            facts[name] = account[name]
    if account.get("hours"):
        facts["preferred_window"] = tuple(account["hours"])
    return LawTerms(
        packs=packs_for(country, region, str(account.get("city", ""))),
        zones=tuple(dict.fromkeys((zone, *account.get("zones", ())))),
        party=said.party,
        debtor=DebtorKind(kind),
        facts=facts,
        settings=said.settings,
    )
