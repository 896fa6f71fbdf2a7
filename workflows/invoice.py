"""One invoice, from acceptance to its end.

Address book
    workflow id   invoice:{creditor}:{number}
    input         InvoiceInput (the ledger's id; what is not given is empty)
    signals       any name; each is a ring that says "the ledger changed, ask again": payment_received, promise_made, disputed...
                  `due` is the ring of a played clock and means what the timer means: the moment has come
    activities    plan (queue invoices); send_email, send_sms, send_whatsapp, call_voice, post_letter (a queue each, but in a
                  replay, where one worker does everything)
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from temporalio import workflow
from temporalio.common import Priority, RawValue, RetryPolicy

with workflow.unsafe.imports_passed_through():
    from activities.wire import InvoiceInput, InvoiceRef, Next
    from workflows.words import ACCOUNT, ACTIVITY, CREDITOR, DUE, Shown, attributes, page

_RETRY = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=1))
_SIGN_OF_LIFE = timedelta(seconds=7)
"""Without one for so long, the worker is taken for dead and the activity is tried again (activities/pulse.py)."""
TOLD_MAX = 120
"""So much of what came with a signal is shown."""
LINES_KEPT = 40
"""How many lines of the past the page in the Temporal UI shows; the ledger keeps all."""


@workflow.defn(name="InvoiceWorkflow")
class InvoiceWorkflow:
    """Ask for the next step, wait until its time or a ring, do it, repeat."""

    @workflow.init
    def __init__(self, given: InvoiceInput) -> None:
        self._ref = InvoiceRef(v=given.v, id=given.id)
        self._rings = 0
        self._due = 0
        self._past: list[str] = list(given.past)
        self._held = given.held
        self._rehearsal = given.rehearsal
        self._shown: Shown = {}

    @workflow.run
    async def run(self, given: InvoiceInput) -> str:
        heard = self._rings
        step = await self._plan("first look")
        while not (step.kind == "close" and self._rings == heard):
            self._tell(step)
            moment_has_come = await self._sleep(step, heard)
            heard = self._rings
            if moment_has_come and step.kind == "contact":
                step = await self._contact(step)
            else:
                step = await self._plan("ask again")
            if workflow.info().is_continue_as_new_suggested():
                page_so_far = {"past": tuple(self._past), "held": step.held or self._held}
                workflow.continue_as_new(given.model_copy(update=page_so_far))
        self._tell(step)
        return step.why

    async def _sleep(self, step: Next, heard: int) -> bool:
        """Sleep until the step's moment (True) or a ring (False)."""
        if step.kind == "close":
            return False
        try:
            await workflow.wait_condition(
                lambda: self._due >= step.step or self._rings != heard,
                timeout=step.wake - workflow.now(),
                timeout_summary=_until(step),
            )
        except TimeoutError:
            return True
        if self._rings != heard:
            return False
        self._due = 0  # it has been obeyed: a stray one with a great number must not count for every step to come
        return True

    async def _plan(self, summary: str) -> Next:
        planned: Next = await workflow.execute_activity(
            "plan",
            self._ref,
            result_type=Next,
            summary=summary,
            start_to_close_timeout=timedelta(seconds=30),
            heartbeat_timeout=_SIGN_OF_LIFE,
            retry_policy=_RETRY,
            priority=Priority(priority_key=2),
        )
        return planned

    async def _contact(self, step: Next) -> Next:
        done: Next = await workflow.execute_activity(
            ACTIVITY[step.channel],
            self._ref,
            result_type=Next,
            task_queue=None if self._rehearsal else step.channel,
            summary=f"{step.rung}, {step.owed}",
            start_to_close_timeout=timedelta(seconds=30),
            heartbeat_timeout=_SIGN_OF_LIFE,
            retry_policy=_RETRY,
        )
        self._note(f"{done.did}, {step.when.partition(' (')[0]}" if done.did else f"held back: {done.held or done.why}")
        return done

    def _tell(self, step: Next) -> None:
        """Keep the list and the page of the Temporal UI up to date; an attribute is written only when it changed."""
        self._shown, updates = attributes(step, self._shown)
        if updates and not self._rehearsal:
            workflow.upsert_search_attributes(updates)
        self._held = step.held or self._held
        workflow.set_current_details(page(step, self._past, self._held, _whose()))

    def _note(self, line: str) -> None:
        self._past.append(f"{workflow.now():%d %b %H:%M} | {line}")
        del self._past[:-LINES_KEPT]

    @workflow.signal(dynamic=True)
    async def ring(self, name: str, args: Sequence[RawValue]) -> None:
        """Any signal, known or stray: the ledger may have changed; a `due` ring is the played clock's timer."""
        if name == DUE:
            self._due = max(self._due, _number(args))
            return
        self._rings += 1
        told = [str(_read(a))[:TOLD_MAX] for a in args[:1]]
        self._note(" ".join([f"**{name.replace('_', ' ')}**", *told]))


def _whose() -> str:
    """Whose invoice it is, in a run that follows another: the summary given at the start stays with the first run."""
    info = workflow.info()
    if info.continued_run_id is None:
        return ""
    creditor, account = (info.typed_search_attributes.get(key, "-") for key in (CREDITOR, ACCOUNT))
    return f"{info.workflow_id.removeprefix(f'invoice:{creditor}:')} of account {account} ({creditor})"


def _until(step: Next) -> str:
    what = f"{step.rung} by {step.channel}" if step.kind == "contact" else "wait"
    return f"{what}: {step.when}"


def _number(args: Sequence[RawValue]) -> int:
    """The decision that a `due` ring is for; a stray one without a number is for none."""
    given = _read(args[0]) if args else 0
    return given if isinstance(given, int) else 0


def _read(arg: RawValue) -> object:
    """What came with a signal. Anybody may send one by hand: what cannot be read must not stop the workflow."""
    try:
        return workflow.payload_converter().from_payload(arg.payload)
    except Exception:
        return "(not readable)"
