"""A workflow whose history grew long begins anew: nothing is sent twice, and its page in the Temporal UI is the one it had."""

from __future__ import annotations

from temporalio.api.sdk.v1 import WorkflowMetadata

from tests.journeys.stage import Stage


async def _page(stage: Stage) -> str:
    handle = stage.client.get_workflow_handle(f"invoice:{stage.creditor().slug}:F-1001")
    told = await handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
    return str(told.current_details).replace("\u00a0", " ")


async def test_a_workflow_that_begins_anew_shows_what_it_showed_and_repeats_nothing(short_stage: Stage) -> None:
    stage = short_stage
    invoice = await stage.post(due_on="2026-03-10")  # three days before it is a Saturday: held back until Monday
    await stage.play(days=3)
    assert "Last held back" in await _page(stage)
    await stage.play(days=9)
    await stage.pays("p-1", 10_000_000)
    await stage.play(days=30)
    runs = [run async for run in stage.client.list_workflows(f"WorkflowId = 'invoice:{stage.creditor().slug}:F-1001'")]
    assert len(runs) > 1, "the server asked and the workflow began anew"
    shown = await _page(stage)
    assert "Last held back" in shown and "**payment received**" in shown
    assert [line for line in ("S1 by email", "S2 by email", "S3 by email") if line not in shown] == []
    assert [message[0] for message in stage.messages()] == ["email"] * 3
    assert stage.timeline(invoice).count("contacted") == 3
    slug = stage.creditor().slug
    assert f"| Invoice\u2003 | F-1001 of account C-1001 ({slug}) |" in shown, "its own summary is gone"
    latest = max(runs, key=lambda run: run.start_time)
    attributes = {pair.key.name: pair.value for pair in latest.typed_search_attributes}
    assert (attributes["PuntualAccount"], attributes["PuntualStatus"], attributes["PuntualChannel"]) == ("C-1001", "waiting", "-")
