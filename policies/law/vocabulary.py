"""The facts a rule may hang on: one name for each, what it means, and what is taken for granted when nobody states it.

A fact that is not stated is ordinary: the recipient is the debtor, the channel was authorised, nobody opted out, no attorney, no
suit, the notice was sent long ago, the debt is more than 30 days past due, the telephone number is a mobile's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from policies.law.spellings import (
    ALIASES,
    KINDS_OF_ADDRESS,
    LISTS_OF_CHANNELS,
    STATED_AS_DEEDS,
    STATED_AS_FLAGS,
    WORDS,
    ZONES_OF,
)

Shape = Literal["flag", "word", "words", "day", "days", "hours", "times", "number", "zones"]


class Fact(NamedTuple):
    """One fact: the shape of its value, the value when nobody states it, and its meaning."""

    shape: Shape
    ordinary: Any
    meaning: str


FACTS: dict[str, Fact] = {
    # who and where
    "recipient": Fact("word", "debtor", "who would be reached"),
    "message_mentions_debt": Fact("flag", True, "the message says or shows that a debt is collected"),
    "place": Fact("word", "", "where a visit or call would reach the debtor: home, work, other"),
    "number_type": Fact("word", "mobile", "mobile, home, landline or work"),
    "possible_tz": Fact("zones", (), "IANA zones in which the debtor may be; the time must suit all"),
    "creditor_tz": Fact("word", "", "the sender's zone; it decides nothing"),
    "debt_id": Fact("word", "", "which debt the contact is about"),
    "creditor_id": Fact("word", "", "on whose behalf the contact is made"),
    # the debt
    "creditor_type": Fact("word", "", "bank, nbfc, nbfc_mfi, arc, retailer, utility, ..."),
    "debt_type": Fact("word", "", "regulated_credit, trade, ..."),
    "loan_type": Fact("word", "", "consumer_credit, microcredit, microfinance, farm_credit, ..."),
    "days_past_due": Fact("number", None, "days since the debt fell due (below 0: before)"),
    "in_debt_collection_procedures": Fact("flag", True, "the creditor has begun to collect this debt as overdue"),
    "served_in_lawsuit": Fact("flag", False, "the debtor was served in a suit for this debt"),
    "insolvency": Fact("flag", False, "insolvency proceedings are open over the debtor"),
    "disputed": Fact("flag", False, "the debtor disputes the debt and has asked for court or proof"),
    "limitation_passed": Fact("flag", False, "the limitation period of the debt is over"),
    # what the debtor wants
    "channel_authorised": Fact("flag", True, "the debtor agreed to this channel"),
    "electronic_consent": Fact("flag", True, "the debtor agreed to electronic messages about this debt"),
    "opted_out_channels": Fact("words", (), "channels the debtor closed"),
    "cease_communication_received": Fact("flag", False, "a written request to stop was received"),
    "writing_only_requested": Fact("flag", False, "the debtor asked to be written to only"),
    "attorney_represented": Fact("flag", False, "a lawyer speaks for the debtor in this debt"),
    "preferred_window": Fact("hours", (), "[from, to]: the only hours the debtor wants"),
    "inconvenient": Fact("times", (), "[{days, from, to}]: hours the debtor does not want"),
    "inconvenient_places": Fact("words", (), "places where the debtor does not want to be reached"),
    "place_unwanted": Fact("flag", False, "the contact would reach the debtor at such a place"),
    "agreed_hours": Fact("hours", (), "[from, to]: other hours that the debtor asked for"),
    "hours_waiver_separate_document": Fact("flag", False, "those hours stand in a document apart from the contract"),
    "waiver_signed_after_contract": Fact("flag", True, "that document is later than the contract"),
    "prior_consent": Fact("flag", False, "the debtor agreed beforehand, directly, to this contact"),
    "prior_consent_at": Fact("day", None, "day or instant of that agreement, where it ends with time"),
    "prior_consent_used_up": Fact("flag", False, "a conversation since then has used that agreement up"),
    "information_requested": Fact("flag", False, "the debtor asked for what the message says"),
    "reply_to_debtor_same_channel": Fact("flag", False, "the one answer to what the debtor just wrote, by the same channel"),
    "procon_block_list": Fact("flag", False, "the number stands on the block list of the consumer office"),
    "employer_forbids": Fact("flag", False, "the employer does not allow such contacts"),
    "work_email": Fact("flag", False, "the address is the employer's"),
    "mobile_supplied": Fact("flag", True, "the debtor gave the mobile number for contact"),
    "contact_data_current": Fact("flag", True, "telephone and e-mail of the debtor are up to date"),
    "visit_authorised": Fact("flag", False, "the debtor signed that visits may be made"),
    "public_post": Fact("flag", False, "others can read the message"),
    "prerecorded": Fact("flag", False, "the call plays a recorded or artificial voice"),
    "in_bereavement": Fact("flag", False, "a death, wedding or festival in the debtor's family"),
    # notices and waits
    "notice_sent": Fact("day", None, "day the first notice letter was sent; not stated: long ago; null: never"),
    "notice_never_sent": Fact("flag", False, "the notice that must come first was not sent"),
    "breathing_space_start": Fact("day", None, "first day of a breathing space"),
    "breathing_space_type": Fact("word", "standard", "standard or mental_health"),
    "breathing_space_end": Fact("day", None, "day on which the treatment of a mental-health breathing space ended"),
    "workplace_stop_at": Fact("day", None, "day of an oral request not to be called at work"),
    "action": Fact("word", "contact", "what is announced or done: contact, credit_record, suspension, interest, ..."),
    "action_notice_sent": Fact("day", None, "day on which the notice of that action was sent"),
    "action_notice_missing": Fact("flag", False, "the notice of that action was never sent"),
    # the message
    "message_type": Fact("word", "collection", "collection, transaction_confirmation, fraud_alert, savings_information, ..."),
    "first_contact": Fact("flag", False, "the first contact about this debt"),
    "message_says": Fact("words", None, "what the message states: creditor, agency, amount, opt_out, ..."),
    "message_lacks": Fact("words", (), "what the message leaves out"),
    "message_does": Fact("words", (), "asks_why, threatens, looks_like_court_paper, mentions_court, ..."),
}  # fmt: skip


def plain(name: str, facts: Mapping[str, Any]) -> Any:
    """The value of a fact: as stated, else the ordinary one."""
    return facts.get(name, FACTS[name].ordinary)


def normalised(facts: Mapping[str, Any], channel: str = "") -> tuple[dict[str, Any], tuple[str, ...]]:
    """Facts under their own names and words, and the names that the vocabulary does not know.

    `channel` is that of the contact asked about, for facts that list channels.
    """
    found: dict[str, Any] = {}
    unknown: list[str] = []
    for given, value in facts.items():
        if given == "caller_number_visible":
            continue
        if given in LISTS_OF_CHANNELS and isinstance(value, (list, tuple)):
            found["channel_authorised"] = channel in value
            continue
        if given in KINDS_OF_ADDRESS and isinstance(value, str):
            found["work_email"] = value.lower().startswith(("work", "employer", "office"))
            continue
        if given in ZONES_OF and isinstance(value, str):
            found["possible_tz"] = [*found.get("possible_tz", ()), value]
            continue
        if given in STATED_AS_FLAGS and isinstance(value, bool):
            if value:
                found.setdefault(*STATED_AS_FLAGS[given])
            continue
        if given in STATED_AS_DEEDS:
            if value:
                found["message_does"] = [*found.get("message_does", ()), STATED_AS_DEEDS[given]]
            continue
        name = ALIASES.get(given, given)
        if name not in FACTS:
            unknown.append(given)
            continue
        found[name] = _value(name, value)
    _conclude(found, facts, channel)
    return found, tuple(unknown)


def _value(name: str, value: Any) -> Any:
    """The value in the vocabulary's words."""
    shape = FACTS[name].shape
    if shape == "hours" and isinstance(value, Mapping):
        return [value["from"], value["to"]]
    if shape == "times" and isinstance(value, Mapping):
        return [value]
    if shape == "words" and isinstance(value, bool):
        return ["all"] if value else []
    if isinstance(value, str):
        if shape == "words":
            return [value]
        if shape == "word" and not name.endswith(("_id", "_tz")):
            return WORDS.get(value.lower(), value.lower())
    return value


def _conclude(found: dict[str, Any], stated: Mapping[str, Any], channel: str) -> None:
    """What follows from the facts stated."""
    if found.get("message_type") == "location_information":
        found.setdefault("message_mentions_debt", False)
    if channel == "social":
        found.setdefault("public_post", True)  # unless somebody says that only the debtor can read it
    if channel == "email" and found.get("place") == "work":
        found.setdefault("work_email", True)
    if stated.get("caller_number_visible") is False:
        found["message_does"] = [*found.get("message_does", ()), "hides_number"]
    if found.get("breathing_space_start") == "mental_health":
        found["breathing_space_type"] = found.pop("breathing_space_start")
    if found.get("breathing_space_end"):
        found["breathing_space_type"] = "mental_health"
    if not isinstance(found.get("breathing_space_start", ""), str):
        del found["breathing_space_start"]
    if found.get("message_type") == "information_requested":
        found["information_requested"] = True
    if "notice_sent" in found and not found["notice_sent"]:
        found["notice_never_sent"] = True
    if stated.get("notice_sent") is True:
        del found["notice_sent"]
    if found.get("place") == "work" and "number_type" not in found:
        found["number_type"] = "work"
    elif found.get("number_type") == "work" and "place" not in found:
        found["place"] = "work"
    if found.get("place") and found["place"] in (found.get("inconvenient_places") or ()):
        found["place_unwanted"] = True
    if isinstance(found.get("prior_consent"), str):
        found["prior_consent_at"] = found.pop("prior_consent")
    if found.get("prior_consent_used_up"):
        found["prior_consent"], found["prior_consent_at"] = False, None
