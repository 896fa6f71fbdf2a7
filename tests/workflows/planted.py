"""A planted change of the kind that breaks running invoices; its own file, because the sandbox imports all of it."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.wire import InvoiceRef
    from workflows.invoice import InvoiceWorkflow


@workflow.defn(name="InvoiceWorkflow")
class ThinksFirst(InvoiceWorkflow):
    """Something new happens before what was recorded."""

    @workflow.init
    def __init__(self, ref: InvoiceRef) -> None:
        super().__init__(ref)

    @workflow.run
    async def run(self, ref: InvoiceRef) -> str:
        await workflow.sleep(1)
        return await super().run(ref)
