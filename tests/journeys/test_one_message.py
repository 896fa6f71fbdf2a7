"""Two invoices of one debtor, each with its own workflow, are one message; creditors take turns in a long queue."""

from __future__ import annotations

from tests.journeys.stage import Stage


async def test_two_workflows_are_one_message_and_both_go_on(stage: Stage) -> None:
    invoices = [await stage.post(number) for number in ("F-1001", "F-1002")]
    await stage.play(days=18)
    assert len(stage.messages()) == 2, "S1 and S2, each for both"
    rows = stage.rows("select rung, count(*) as n, count(folded_into) as folded from contact where state = 'delivered'"
                      " group by rung order by rung")  # fmt: skip
    assert [tuple(row) for row in rows] == [("S1", 2, 1), ("S2", 2, 1)]
    for invoice in invoices:
        assert stage.timeline(invoice).count("contacted") == 2
    assert {row.next_rung for row in stage.rows("select next_rung from invoice")} == {"S3"}
    creditor = stage.creditor()
    keys = set()
    async for event in stage.client.get_workflow_handle(f"invoice:{creditor.slug}:F-1002").fetch_history_events():
        if event.HasField("activity_task_scheduled_event_attributes"):
            keys.add(event.activity_task_scheduled_event_attributes.priority.fairness_key)
        if event.HasField("workflow_execution_started_event_attributes"):
            keys.add(event.workflow_execution_started_event_attributes.priority.fairness_key)
    assert creditor.slug in keys and keys <= {creditor.slug, ""}
