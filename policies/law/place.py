"""Which law speaks for a debt: from the place of the account, what the creditor is, and what the debtor asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from policies.facts import LawTerms
from policies.law.packs import packs_for
from policies.terms import DebtorKind, Model

_OUTSIDERS = {
    "co_debtor": "co_debtor codebtor cosigner co_signer co_borrower codeudor",
    "joint_debtor": "joint_debtor deudor_solidario",
    "guarantor": "guarantor surety fiador avalista aval",
    "guardian": "guardian tutor",
    "parent_of_minor": "parent",
    "executor": "executor heir albacea",
    "spouse": "spouse conyuge",
    "attorney": "attorney lawyer abogado advogado counsel",
    "personal_reference": "reference personal_reference referencia",
    "family_member": "family_member relative family familiar",
    "employer": "employer",
    "workmate": "workmate colleague coworker",
    "neighbour": "neighbour neighbor",
    "friend": "friend",
}
_ROLES = {word: name for name, words in _OUTSIDERS.items() for word in words.split()}
_OF_THE_DEBTOR = frozenset(
    "holder payables debtor payer owner customer client member subscriber resident titular account_holder approver director"
    " treasury finance legal sales".split()
)
"""Roles in which a consumer is the one who owes; in a business everybody who is not named as an outsider speaks for it."""
LIVE = frozenset(
    "channel_authorised electronic_consent recipient prerecorded number_type days_past_due in_debt_collection_procedures"
    " notice_sent notice_never_sent creditor_type creditor_id debt_type loan_type preferred_window message_type"
    " message_mentions_debt message_does message_says message_lacks first_contact debt_id possible_tz creditor_tz"
    " limitation_passed action action_notice_sent opted_out_channels".split()
)
"""Facts that the running product knows by itself: from intake, consent, history, the text and the calendar."""
BY_A_PERSON = {
    "attorney_represented": "stop the account: suppression `represented`",
    "cease_communication_received": "stop the account: suppression `cease_request`",
    "served_in_lawsuit": "stop the account: suppression `court`",
    "insolvency": "stop the account: suppression `insolvency`, with its opening date",
    "disputed": "open a dispute on the invoice, or suppression `dispute`",
    "breathing_space_start": "stop the account: suppression `breathing_space` until its end",
    "breathing_space_type": "stop the account: suppression `breathing_space` until its end",
    "breathing_space_end": "stop the account: suppression `breathing_space` until its end",
    "in_bereavement": "pause the invoices",
    "employer_forbids": "leave the work address or number out",
    "work_email": "leave the work address out",
    "workplace_stop_at": "leave the work number out",
    "place": "we make no visits and call no workplace; contacts made by people are told by API",
    "place_unwanted": "we make no visits and call no workplace",
    "visit_authorised": "we make no visits",
    "contact_data_current": "we make no visits",
    "public_post": "we write to the person only",
    "inconvenient": "give the account its preferred hours",
    "writing_only_requested": "withdraw the consent to calls",
    "procon_block_list": "withdraw the consent to calls and texts",
    "mobile_supplied": "leave out numbers that the debtor did not give",
    "prior_consent": "not used: the stricter answer holds",
    "prior_consent_at": "not used: the stricter answer holds",
    "information_requested": "answers are written by a person",
    "reply_to_debtor_same_channel": "answers are written by a person",
    "agreed_hours": "not used: the stricter answer holds",
    "hours_waiver_separate_document": "not used: the stricter answer holds",
    "waiver_signed_after_contract": "not used: the stricter answer holds",
    "action_notice_missing": "what is announced goes out by the manual, its act only after it",
}
"""Facts that nobody but a person can know, and what that person does about them (docs/law.md)."""


def outsider_of(role: str) -> str:
    """The packs' word for somebody beside the debtor (`codeudor` is a `co_debtor`); empty for any other role."""
    return _ROLES.get(role.strip().lower(), "")


def recipient_of(role: str, kind: DebtorKind) -> str:
    """Who a contact person is in the words of the packs; a consumer's contact of unknown role is an outsider."""
    word = role.strip().lower()
    if word in _ROLES:
        return _ROLES[word]
    return "debtor" if kind is DebtorKind.BUSINESS or word in _OF_THE_DEBTOR else "third_party"


class CreditorLaw(Model):
    """What a creditor has said about itself; `puntual creditor set` sets it."""

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
