"""The names of the messages that a manual may send, and which of them can share one message (F38).

Their texts are in messages/; a test holds the two lists equal.
"""

from __future__ import annotations

from collections.abc import Iterable

MESSAGES = frozenset(
    """
    affordable_plan apology certificate_request come_back decision_maker delivery_check direct_talk due_soon_statement
    final_balance final_demand first_reminder formal_demand guarantor_notice holder_check
    instalment_reminder instrument_returned interest_notice last_agreement last_days missed_promise monthly_statement
    offer_ways open_items paid_receipt pre_due promise_reminder record_notice reopened scheduled_question several_due_soon
    several_firm several_overdue statement_lines still_open still_open_firm suspended suspension_notice taken_up_again
    """.split()
)

_BEFORE_DUE = frozenset("pre_due instalment_reminder due_soon_statement several_due_soon".split())
_OVERDUE = frozenset(
    """
    first_reminder offer_ways direct_talk scheduled_question statement_lines come_back still_open taken_up_again several_overdue
    """.split()
)
_FIRM = frozenset("affordable_plan open_items decision_maker still_open_firm several_firm".split())
ANNOUNCING = frozenset(
    """
    delivery_check suspension_notice suspended final_balance record_notice last_days final_demand interest_notice formal_demand
    last_agreement
    """.split()
)
"""Texts that announce or carry out something: they are shared by invoices that are told the same, and by no others."""
IN_OTHER_WORDS = {
    **dict.fromkeys(_OVERDUE, ("still_open", "taken_up_again")),
    **dict.fromkeys(_FIRM, ("still_open_firm",)),
    **dict.fromkeys(_BEFORE_DUE, ()),
}
"""For each reminder, the texts that say it in other words, in order. A text that announces an act names its own day and is never
the same."""
STATEMENT = "monthly_statement"
"""The account as it stands, sent each month: due or not, and no reminder."""
LISTING = frozenset(
    f"due_soon_statement open_items decision_maker formal_demand last_agreement statement_lines {STATEMENT}".split()
)
"""Texts that speak of all invoices in their own words."""
SEVERAL = "several"
_BUNDLES = dict.fromkeys(_BEFORE_DUE | _OVERDUE | _FIRM, SEVERAL) | {template: template for template in (*ANNOUNCING, STATEMENT)}


def bundle_of(template: str) -> str:
    """Messages of the same bundle can be one; empty for a text that is about one agreement or one person and stands alone."""
    return _BUNDLES.get(template, "")


def firmness(template: str, *, firm: bool) -> int:
    """How firm a rung speaks: 0 before the due date, 1 a reminder, 2 firm or announcing."""
    if firm or template in _FIRM | ANNOUNCING:
        return 2
    return 0 if template in _BEFORE_DUE else 1


def text_for_several(templates: Iterable[str], *, firmest: int) -> str:
    """The text of a message for several rungs of one bundle: their own where it can speak of all, else the family's (F38)."""
    names = set(templates)
    if len(names) == 1 and names <= ANNOUNCING | LISTING:
        return names.pop()
    return ("several_due_soon", "several_overdue", "several_firm")[firmest]
