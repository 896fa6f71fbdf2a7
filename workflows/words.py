"""How an invoice shows itself in the Temporal UI: search attributes (ids and enums only) and the page of current details."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from temporalio.common import SearchAttributeKey, SearchAttributePair, SearchAttributeUpdate, TypedSearchAttributes

from activities.wire import Next

Shown = dict[SearchAttributeKey[Any], object]
"""The attributes as the list in the Temporal UI has them."""
DUE = "due"
CREDITOR = SearchAttributeKey.for_keyword("PuntualCreditor")
ACCOUNT = SearchAttributeKey.for_keyword("PuntualAccount")
STATUS = SearchAttributeKey.for_keyword("PuntualStatus")
RUNG = SearchAttributeKey.for_keyword("PuntualRung")
CHANNEL = SearchAttributeKey.for_keyword("PuntualChannel")
CURRENCY = SearchAttributeKey.for_keyword("PuntualCurrency")
OWED = SearchAttributeKey.for_float("PuntualOwed")
NEXT_AT = SearchAttributeKey.for_datetime("PuntualNextAt")

ACTIVITY = {"email": "send_email", "sms": "send_sms", "whatsapp": "send_whatsapp", "voice": "call_voice", "letter": "post_letter"}
_STATUS = {"contact": "dunning", "wait": "waiting", "close": "closed"}


def started_with(*, creditor: str, account: str, currency: str) -> TypedSearchAttributes:
    """The attributes that never change, given when the workflow starts."""
    return TypedSearchAttributes(
        [SearchAttributePair(CREDITOR, creditor), SearchAttributePair(ACCOUNT, account), SearchAttributePair(CURRENCY, currency)]
    )


def attributes(step: Next, shown: Shown) -> tuple[Shown, list[SearchAttributeUpdate[Any]]]:
    """What the list shows from now on, and what of it changed: each is written into the history, so only changes are."""
    now: Shown = {
        STATUS: _STATUS[step.kind],
        OWED: step.owed_major,
        RUNG: step.rung or "-",
        NEXT_AT: None if step.kind == "close" else step.wake.replace(microsecond=0),
        CHANNEL: step.channel or "-",
    }
    changed = {key: value for key, value in now.items() if key not in shown or shown[key] != value}
    if changed.keys() == {CHANNEL}:
        # Histories from before it was written have no event here; it goes with the next change.
        return shown, []
    return now, [key.value_unset() if value is None else key.value_set(value) for key, value in changed.items()]


def page(step: Next, past: Sequence[str], held: str, whose: str = "") -> str:
    """The current details: what is owed, what comes next, when and why, what was held back, and what happened, newest first.

    `whose` names the invoice where no summary does.
    """
    if step.kind == "contact":
        coming = f"**{step.rung}** by {step.channel}"
    else:
        coming = "**Ended**" if step.kind == "close" else "**Waiting**"
    rows = [("Owed now", step.owed), ("Next", coming), ("When", step.when if step.kind != "close" else "-"), ("Why", step.why)]
    if whose:
        rows.insert(0, ("Invoice", whose))
    if held:
        rows.append(("Last held back", held))
    lines = ["| | |", "|:---|:---|", *(f"| {_first(name)} | {_cell(value)} |" for name, value in rows)]
    if past:
        lines += ["", f"| {_first('Recorded, UTC')} | What happened |", "|:---|:---|"]
        lines += [f"| {_first(when)} | {_cell(what)} |" for when, _, what in (entry.partition(" | ") for entry in reversed(past))]
    return "\n".join(lines)


def _first(text: str) -> str:
    """A cell of the first column: in one line, with a gap after it, because the UI's tables have neither."""
    return _cell(text).replace(" ", "\u00a0") + "\u2003"


def _cell(text: str) -> str:
    return text.replace("|", "/").replace("\n", " ")
