"""A planted change of the kind that breaks running invoices; its own file, because the sandbox imports all of it."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.wire import InvoiceInput
    from workflows.invoice import InvoiceWorkflow


@workflow.defn(name="InvoiceWorkflow")
class ThinksFirst(InvoiceWorkflow):
    """Something new happens before what was recorded."""

    @workflow.init
    def __init__(self, given: InvoiceInput) -> None:
        super().__init__(given)

    @workflow.run
    async def run(self, given: InvoiceInput) -> str:
        await workflow.sleep(1)
        return await super().run(given)
