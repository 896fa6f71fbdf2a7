"""How the console says sums, moments and events: plain words, tabular figures, the debtor's own clock."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from babel.numbers import format_decimal

from policies.money import exponent, major_units

CHANNELS = {"email": "e-mail", "sms": "SMS", "whatsapp": "WhatsApp", "voice": "voice call", "letter": "letter"}
OUTCOMES = {
    "paid": "Paid", "cancelled": "Cancelled", "written_off": "Written off", "credited": "Credited",
    "ladder_ended": "Ladder ended", "recalled_paid": "Paid at agency", "returned": "Back from agency",
    "settled_in_erp": "Settled in ERP",
}  # fmt: skip
PAID = ("paid", "recalled_paid", "settled_in_erp")
HOLDS = {
    "pause": "Paused", "dispute": "Disputed", "already_paid": "Says it is paid", "payment_in_process": "Payment on its way",
    "owner": "Held by its owner",
}  # fmt: skip
AGREEMENTS = {"promise": "Promise", "extension": "Extension", "plan": "Instalment plan", "discount": "Discount"}
PLACEMENTS = {
    "proposed": "Agency: decide", "approved": "Agency: approved", "placed": "At agency", "declined": "Agency: declined",
    "recalled": "Recalled from agency", "returned": "Back from agency",
}  # fmt: skip
TASKS = {
    "approve_placement": "Decide: keep or agency", "match_payment": "Find whose payment this is",
    "check_payment": "One payment, two sums", "unknown_outcome": "Was it sent?", "fix_contact": "Find another address",
    "confirm_deduction": "Confirm a deduction", "certificate_missing": "Decide on a missing document",
    "load_index_value": "Load the value of an index",
    "find_payment": "Look for the payment", "answer_dispute": "Answer the dispute", "get_consent": "Ask for a channel",
    "insolvency_claim": "File the claim",
    "confirm_insolvency": "Look whether it is insolvent", "read_reply": "Read an answer", "review_stop": "Review a stop",
    "read_event": "A gateway's event could not be applied: look it up there",
}  # fmt: skip
TASKS |= {
    "confirm_due_date": "Confirm the due date", "prove_delivery": "Prove that it was delivered", "reissue": "Issue it again",
    "own_send_copy": "Send a copy, as promised", "own_credit_note": "Issue the credit note, as promised",
    "own_call_back": "Call back, as promised", "own_repair": "Repair or replace, as promised",
    "firm_rung_yes": "A firm rung for a key account: yes or no?", "key_rung_skipped": "A firm rung was passed over",
    "own_document": "Send the document, as promised", "firm_rung_ahead": "A firm rung is ahead: hold it or let it go",
    "automatic_stop": "Sending stopped by itself: find out why", "approve_missent": "Approve what is done about a mis-sent batch",
    "confirm_snapshot": "Confirm a list of open items",
}  # fmt: skip
RESULTS = {
    "promise": "Promises to pay", "dispute": "Disputes it", "says_paid": "Says it is paid", "call_back": "Call back",
    "spoke": "Spoke, nothing agreed", "third_party": "Somebody else", "voicemail": "Voicemail", "no_answer": "No answer",
    "not_connected": "Not connected", "wrong_number": "Wrong number", "no_more_calls": "Wants no calls",
}  # fmt: skip
"""How a call ended, as a collector taps it."""
SOURCES = {"standard": "gateway", "stripe": "Stripe", "manual": "by hand", "replay": "replay"}
STATES = {"calling": "being sent", "accepted": "sent", "delivered": "delivered", "failed": "failed", "unknown": "unknown"}


class Tag(NamedTuple):
    """A short word on a coloured ground: good, busy, warn, bad or calm."""

    text: str
    tone: str


def money(amount_minor: int, currency: str) -> str:
    """`1,250.00`, with the currency's own decimals; the currency stands beside it."""
    digits = exponent(currency)
    pattern = "#,##0" + ("." + "0" * digits if digits else "")
    return str(format_decimal(major_units(amount_minor, currency), format=pattern, locale="en"))


def words(name: str) -> str:
    """`first_reminder` as `first reminder`."""
    return name.replace("_", " ")


def sentence(text: str) -> str:
    """The same with a capital at its beginning."""
    return text[:1].upper() + text[1:]


def channel(name: str | None) -> str:
    """A channel as people write it."""
    return CHANNELS.get(name or "", name or "")


def task(kind: str) -> str:
    """What a task asks for."""
    return TASKS.get(kind) or words(kind).capitalize()


def city(zone: str) -> str:
    """`America/Mexico_City` as `Mexico City`."""
    return zone.rsplit("/", 1)[-1].replace("_", " ")


def day(on: date | None) -> str:
    """`16 Mar 2026`, empty for none."""
    return "" if on is None else f"{on.day} {on:%b %Y}"


def moment(at: datetime, zone: str) -> str:
    """`Mon 16 Mar 2026, 09:00`, on the clock of that zone."""
    local = at.astimezone(ZoneInfo(zone))
    return f"{local:%a} {local.day} {local:%b %Y, %H:%M}"


def local_moment(written: str) -> str:
    """A local time as the ledger keeps it (`2026-03-16T09:00:00`), as people read it."""
    local = datetime.fromisoformat(written)
    return f"{local:%a} {local.day} {local:%b %Y, %H:%M}"


def soon(at: datetime, zone: str, now: datetime) -> str:
    """How far away in days of that zone: `today`, `tomorrow`, `in 5 days`, `3 days ago`."""
    days = (at.astimezone(ZoneInfo(zone)).date() - now.astimezone(ZoneInfo(zone)).date()).days
    if days == 0:
        return "now" if at <= now else "today"
    if abs(days) == 1:
        return "tomorrow" if days == 1 else "yesterday"
    return f"in {days} days" if days > 0 else f"{-days} days ago"


def lateness(due: date | None, today: date) -> Tag | None:
    """How late the oldest open part is, by its effective due date."""
    if due is None:
        return None
    days = (today - due).days
    if days > 0:
        return Tag(f"{days} {'day' if days == 1 else 'days'} late", "bad" if days > 30 else "warn")
    return Tag("due today" if days == 0 else f"in {-days} {'day' if days == -1 else 'days'}", "calm")


def invoice_state(row: Any, beside: Any) -> Tag:
    """One word for where an invoice stands; what a person must know first wins."""
    if row.outcome is not None or row.status != "open":
        name = row.outcome or row.status
        return Tag(OUTCOMES.get(name, words(name).capitalize()), "good" if name in PAID else "calm")
    if beside.placement is not None:
        return Tag(PLACEMENTS[beside.placement], "busy")
    if beside.holds:
        return Tag(", ".join(HOLDS[kind] for kind in beside.holds.split(",")), "busy")
    if beside.agreement is not None:
        return Tag(AGREEMENTS[beside.agreement["kind"]], "good")
    if row.next_kind is None:
        return Tag("Starting", "calm")
    return Tag("Overdue", "warn") if row.overdue_minor > 0 else Tag("Not yet due", "calm")


_HEADLINES = {
    "accepted": "Accepted", "closed": "Closed", "reopened": "Reopened: money went back", "amended": "Amended",
    "delivery_delivered": "Delivered", "delivery_accepted": "Accepted by the customer", "delivery_rejected": "Not accepted",
    "delivery_waived": "Proof of delivery waived", "due_date_confirmed": "Due date confirmed",
    "document_added": "Document added",
    "replaces": "Issued in place of another", "replaced": "Issued again under another number",
    "cancelled": "Cancelled by the creditor", "written_off": "Written off", "manual_contact": "A person made contact",
    "paused": "Paused", "resumed": "Resumed", "payment_received": "Payment received",
    "payment_reversed": "Payment reversed", "payment_in_process": "Payment on its way", "payment_failed": "The payment failed",
    "promise_made": "Promise to pay", "agreement_made": "Agreement made", "agreement_withdrawn": "Agreement withdrawn",
    "dispute_opened": "Disputed by the customer", "dispute_closed": "Dispute closed",
    "already_paid_said": "The customer says it is paid",
    "opted_out": "The customer opted out", "opted_in": "The customer opted in",
    "preference_set": "The customer chose how to be written to", "address_retired": "An address does not work",
    "rung_skipped": "Passed over", "held_back": "Held back", "task_opened": "Task for a person",
    "placement_proposed": "Keep or place: a person decides", "approved": "Agency approved", "declined": "Agency declined",
    "placed": "Placed with the agency", "placement_recalled": "Recalled from the agency", "suppressed": "Contact suppressed",
    "account_changed": "Account corrected", "suppression_lifted": "Contact allowed again",
    "exempted": "Exempt from reminders", "exemption_ended": "Exempt no more",
    "stopped": "All sending stopped", "owner_hold": "Held by its owner", "owner_hold_ended": "Its owner let it go on",
    "note_added": "Note", "task_done": "Task done", "own_promise_made": "We promised the customer",
    "own_promise_kept": "We kept our promise",
    "outcome_unknown": "Nobody knows whether it went out",
    "contact_approved": "Approved by a person", "contact_declined": "Declined by a person",
    "approval_void": "Its text changed: back on the list", "missent": "It should not have gone",
    "start_changed": "How far things go by themselves was changed",
    "outcome_known": "Now it is known", "contact_failed": "Did not arrive",
}  # fmt: skip
_TONES = {
    "payment_received": "good", "closed": "good", "promise_made": "good", "agreement_made": "good", "promise_kept": "good",
    "plan_kept": "good", "discount_kept": "good", "extension_kept": "good", "held_back": "warn", "rung_skipped": "warn",
    "paused": "busy", "dispute_opened": "busy", "already_paid_said": "busy", "payment_reversed": "bad", "reopened": "bad",
    "contact_failed": "bad", "address_retired": "bad", "outcome_unknown": "bad", "opted_out": "bad", "suppressed": "bad",
    "promise_broken": "bad", "plan_broken": "bad", "discount_broken": "bad", "extension_broken": "bad", "task_opened": "busy",
    "placement_proposed": "busy", "contacted": "sent",
}  # fmt: skip
TOLD_WITH_ITS_CONTACT = ("contact_delivered", "contact_accepted")
"""Receipts stand on the line of their contact."""


class Line(NamedTuple):
    """One line of the timeline."""

    at: datetime
    local: str
    title: str
    says: str
    tone: str
    why: str
    by: str
    facts: list[tuple[str, str]]
    rules: list[str]
    versions: dict[str, str]
    contact: dict[str, Any] | None


def line(item: Mapping[str, Any], *, currency: str, zone: str) -> Line:
    """An event of the ledger's history as people read it."""
    kind, detail, contact = item["what"], dict(item["detail"]), item.get("contact")
    title = _HEADLINES.get(kind) or words(kind).capitalize()
    if kind == "contacted" and contact is not None:
        title = f"{contact['rung']} by {channel(contact['channel'])}"
    elif detail.get("rung") or detail.get("key"):
        title = f"{_rung_of(detail)}: {title[:1].lower()}{title[1:]}"
    money_of = str(detail.get("currency") or currency)
    says = _says(kind, detail, contact, money_of, zone)
    # A person's reason is a member of the detail too, and of some events all there is to say: it is told once.
    given = item["why"] in (detail.get("reason"), detail.get("outcome"), detail.get("how"))
    why = words(item["why"]) if given else item["why"]
    shown = ((name, value) for name, value in detail.items() if value != item["why"])
    facts = [(_label(name), said) for name, value in shown if (said := _said(name, value, money_of, zone))]
    return Line(
        item["at"], moment(item["at"], zone), title, says, _TONES.get(kind, "calm"), "" if why == says else why,
        "" if item["by"] == "puntual" else item["by"], facts, item["rules"], _versions(item["versions"]), contact,
    )  # fmt: skip


def _versions(known: Mapping[str, Any]) -> dict[str, str]:
    """One name each: law packs by their codes."""
    packs = {f"law {code}": value for code, value in known.get("law", {}).items()}
    return {name: str(value) for name, value in known.items() if name != "law"} | packs


def _rung_of(detail: Mapping[str, Any]) -> str:
    if detail.get("rung"):
        return str(detail["rung"])
    parts = str(detail["key"]).split(".")
    return parts[2] if len(parts) == 4 else str(detail["key"])


def _says(kind: str, detail: Mapping[str, Any], contact: Mapping[str, Any] | None, currency: str, zone: str) -> str:
    """The one figure or date that belongs on the line itself."""
    if kind == "contacted" and contact is not None:
        days = contact["late_days"]
        late = f", {days} {'day' if days == 1 else 'days'} later than planned" if days else ""
        asked = f"{contact['currency']} {money(contact['amount_minor'], contact['currency'])}"
        return f"{words(contact['template'])}, asked for {asked}{late}"
    if kind in ("payment_received", "payment_reversed") and "amount_minor" in detail:
        left = f"; owed now {money(detail['balance_minor'], currency)}" if detail.get("balance_minor") is not None else ""
        return f"{currency} {money(detail['amount_minor'], currency)}{left}"
    if kind in ("promise_made", "agreement_made") and detail.get("milestones"):
        return parts_said(detail["milestones"], currency)
    if "promised_minor" in detail:
        return f"{money(detail.get('paid_minor') or 0, currency)} of {currency} {money(detail['promised_minor'], currency)} came"
    if kind == "accepted" and "amount_minor" in detail:
        return f"{currency} {money(detail['amount_minor'], currency)}"
    if kind == "manual_contact":
        return f"{words(str(detail.get('channel')))} {detail.get('direction')}: {words(str(detail.get('outcome')))}"
    if kind == "written_off":
        return f"{currency} {money(detail['amount_minor'], currency)}"
    if kind == "task_opened":
        return task(str(detail.get("task", "")))
    if kind == "closed":
        return OUTCOMES.get(str(detail.get("outcome")), str(detail.get("outcome")))
    if "until" in detail:
        return f"until {_said('until', detail['until'], currency, zone)}"
    return words(str(detail.get("reason") or detail.get("outcome") or ""))


def parts_said(parts: list[Mapping[str, Any]], currency: str) -> str:
    """`COP 100,000.00 by 20 Mar 2026`, or the first and the count of several."""
    first = parts[0]
    text = f"{currency} {money(first['amount_minor'], currency)} by {day(date.fromisoformat(first['due_on']))}"
    if len(parts) == 1:
        return text
    last = day(date.fromisoformat(parts[-1]["due_on"]))
    return f"{len(parts)} payments until {last}, the first {text}"


def _label(name: str) -> str:
    return words(name.removesuffix("_minor"))


def _said(name: str, value: Any, currency: str, zone: str) -> str:
    """A detail's value; ids and what the line says anyway are left out."""
    if value is None or value == "" or name in ("milestones", "kind", "rules", "was", "now", "addresses", "currency"):
        return ""
    if name.endswith("_minor"):
        return f"{currency} {money(int(value), currency)}"
    if isinstance(value, str) and len(value) > 18 and value[4:5] == "-" and "T" in value:
        return moment(datetime.fromisoformat(value), zone)
    if isinstance(value, str) and len(value) == 10 and value[4:5] == value[7:8] == "-":
        return day(date.fromisoformat(value))
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def plan_step(step: Any) -> str:
    """What a step of the plan does, when it is no contact."""
    named = {
        "wait": "Wait", "skip": f"{step.rung} is passed over", "judge": "The agreement is judged", "ask": "A task for a person",
        "handoff": "Keep or place: a person decides", "place": "Goes to the agency", "recall": "Comes back from the agency",
        "close": "Ends",
    }  # fmt: skip
    return named.get(step.what, words(step.what).capitalize())


def ago(span: timedelta) -> str:
    """`3 days`, `5 h`, for how long something waits."""
    return f"{span.days} {'day' if span.days == 1 else 'days'}" if span.days else f"{span.seconds // 3600} h"
