"""What travels between workflow and activities: one model in, one model out, ids and sums only, small (it is kept for a year)."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class InvoiceRef(_Wire):
    """The input of every workflow and activity: which invoice. `v` is the schema's version."""

    v: int = 1
    id: str


class InvoiceInput(InvoiceRef):
    """What a workflow is started with: an InvoiceRef, and after a continue-as-new the page as the run before left it."""

    past: tuple[str, ...] = ()
    """What happened, oldest first, as `workflows.words.page` takes it."""
    held: str = ""
    """Why a contact was last held back."""
    rehearsal: bool = False
    """Played by one process on a server that nobody looks at: its row in the list is left alone, and contacts are made on the
    queue of the workflow, which hands them out at once."""


class Next(_Wire):
    """What the workflow obeys: reach out at `wake`, wait until `wake`, or end."""

    v: int = 1
    kind: Literal["contact", "wait", "close"]
    step: int
    """The ledger's number of this decision; a `due` ring names the decision it is for."""
    wake: AwareDatetime
    """The instant on this workflow's own clock (design 3)."""
    when: str
    """The business moment as a person in the debtor's zone would say it."""
    why: str
    rung: str = ""
    channel: str = ""
    owed: str = ""
    """Balance now, with its currency: `COP 120,000.00`."""
    owed_major: float = 0.0
    did: str = ""
    """What this activity did, one line for the timeline; empty when it only asked."""
    held: str = ""
    """Why the last contact was held back, when it was."""
