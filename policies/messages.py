"""The names of the messages that a manual may send. Their texts are in messages/; a test holds the two lists equal."""

from __future__ import annotations

MESSAGES = frozenset(
    """
    affordable_plan come_back decision_maker delivery_check direct_talk due_soon_statement final_balance final_demand
    first_reminder formal_demand holder_check instalment_reminder interest_notice last_agreement last_days missed_promise
    offer_ways open_items paid_receipt pre_due promise_reminder record_notice reopened scheduled_question statement_lines
    suspended suspension_notice
    """.split()
)
