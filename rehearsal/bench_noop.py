"""A workflow with the shape of an invoice's first steps and nothing behind it: what the server and the SDK cost by themselves."""

from __future__ import annotations

from datetime import timedelta

from temporalio import activity, workflow

with workflow.unsafe.imports_passed_through():
    from activities.wire import InvoiceRef, Next
    from clock import wall_now
    from workflows.words import attributes

NOOP_QUEUE = "bench-noop"


@workflow.defn(name="BenchNoop")
class Noop:
    """The first steps of an invoice without an invoice: one activity, the attributes, the page, a timer."""

    @workflow.run
    async def run(self, ref: InvoiceRef) -> None:
        step = await workflow.execute_activity(
            "noop", ref, result_type=Next, summary="first look", start_to_close_timeout=timedelta(seconds=60)
        )
        workflow.upsert_search_attributes(attributes(step, {})[1])
        workflow.set_current_details(f"| Owed now | {step.owed} |\n| When | {step.when} |\n| Why | {step.why} |")
        await workflow.sleep(step.wake - workflow.now(), summary=step.when)


@activity.defn(name="noop")
def noop(ref: InvoiceRef) -> Next:
    """An answer of the usual size, made of nothing."""
    return Next(
        kind="contact", step=1, wake=wall_now() + timedelta(days=60), when="Tue 08 Dec 2026 09:00 (America/Bogota)",
        why="rung R1 of the manual falls on this day", rung="R1", channel="email", owed="COP 250,000.00", owed_major=250000.0,
    )  # fmt: skip
