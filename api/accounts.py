"""Who owes: what is corrected about an account, and the consent that a person gave or took back outside of Puntual."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import AfterValidator, BaseModel, Field

from api.account_models import AccountOut
from api.models import impersonal
from api.problems import responses
from api.security import Caller, caller
from ledger.account_reading import read_account
from ledger.accounts import change_account
from ledger.consents import record_consent
from ledger.refusals import not_found
from ledger.stops import account_by_ref
from policies.intake_model import AccountChange
from policies.terms import Channel, Instant, Model
from policies.typed import STORABLE

router = APIRouter(prefix="/v1/accounts", tags=["Accounts"], responses=responses(401, 403, 404, 422, 429))
Reader = Annotated[Caller, caller("invoices:read")]
Writer = Annotated[Caller, caller("invoices:write")]
Decider = Annotated[Caller, caller("decisions:write")]


class ConsentIn(Model):
    """What a person said about being written to; without `address`, about every address of that channel."""

    channel: Channel = Field(examples=["sms"])
    address: str | None = Field(
        None, min_length=3, max_length=500, pattern=STORABLE, description="one of the account's, as it was posted",
        examples=["300 123 4567"],
    )  # fmt: skip
    person_id: UUID | None = Field(None, description="only the addresses of this person of the account")
    consent: Literal["given", "withdrawn"] = Field(examples=["given"])
    at: Instant = Field(description="when it was said; not in the future", examples=["2026-03-02T09:30:00-05:00"])
    proof: Annotated[str, AfterValidator(impersonal)] = Field(
        min_length=1, max_length=200, pattern=STORABLE, description="where it is recorded; a reference, no personal data",
        examples=["call-2026-118"],
    )  # fmt: skip


class ConsentOut(BaseModel):
    """For how many addresses consent changed; 0 when it was so before, or when a later word is known."""

    changed: int


class AccountChanged(BaseModel):
    """Which members changed (none: it was so before), and how many open invoices are planned anew."""

    changed: list[str]
    invoices: int


@router.post("/{account_ref}/consents", summary="Record that consent to a channel was given or withdrawn")
def post_consent(account_ref: str, body: ConsentIn, who: Decider, request: Request) -> ConsentOut:
    """At once, also for what is scheduled; a withdrawal also where the same address stands under another of your accounts.

    The later word counts: `given` needs a date after the withdrawal that it ends. It also completes the task to ask for it.
    """
    changed = record_consent(
        who.session, request.app.state.sealer, _account(account_ref, who, request), channel=body.channel, consent=body.consent,
        at=body.at, proof=body.proof, actor=who.actor, now=request.app.state.clock.now(), address=body.address,
        person_id=body.person_id,
    )  # fmt: skip
    return ConsentOut(changed=changed)


@router.get("/{account_ref}", summary="What is known of an account")
def get_account(account_ref: str, who: Reader, request: Request) -> AccountOut:
    """Who pays for whom, whose branch it is, how it pays, and its people by role; names and addresses stay sealed."""
    return AccountOut.model_validate(read_account(who.session, _account(account_ref, who, request)))


@router.patch("/{account_ref}", summary="Correct what is known of an account")
def patch_account(account_ref: str, body: AccountChange, who: Writer, request: Request) -> AccountChanged:
    """Only the members you send change, for every open invoice at once; null or an empty text forgets one.

    A new region moves the zone with it unless you give the zone; a telephone that points elsewhere keeps the place in doubt.
    """
    state = request.app.state
    done = change_account(
        who.session, state.sealer, _account(account_ref, who, request), body, actor=who.actor, now=state.clock.now()
    )
    return AccountChanged(changed=list(done.names), invoices=done.invoices)


def _account(account_ref: str, who: Caller, request: Request) -> UUID:
    # A reference that is personal was made opaque when it came in; both forms find the account.
    found = account_by_ref(who.session, who.creditor_id, (account_ref, request.app.state.sealer.opaque_ref(account_ref)))
    if found is None:
        raise not_found("account", account_ref)
    return found
