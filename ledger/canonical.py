"""The one form in which a posted invoice is compared with the body first accepted.

Personal leaves (name, salutation, address, proof, a personal reference) stand in it as keyed hashes; `#` marks them.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_json

from ledger.sealing import Sealer
from policies.addresses import is_personal_ref
from policies.intake import Intake, Person
from policies.papers import papers_as_posted
from policies.terms import DebtorKind

ERASED = "#erased"
"""Stands where an erased person's leaf stood; equal to anything."""
_PERSONAL = frozenset({"name", "salutation", "address", "proof", "ref"})


@dataclass(frozen=True, slots=True)
class Difference:
    """One leaf that differs; `personal` ones never show their values."""

    pointer: str
    personal: bool
    was: Any = None
    now: Any = None

    def as_dict(self) -> dict[str, Any]:
        """For the problem document."""
        if self.personal:
            return {"pointer": self.pointer}
        return {"pointer": self.pointer, "was": self.was, "now": self.now}


def canonical_body(intake: Intake, sealer: Sealer, account: dict[str, Any] | None = None) -> dict[str, Any]:
    """What is stored of the body; `account` is its `canonical_account`, where the caller has it already."""
    return {
        "number": intake.number,
        "currency": intake.currency,
        "issued_on": intake.issued_on.isoformat(),
        "instalments": _instalments(intake),
        "place_of_payment": f"{intake.place}-{intake.place_region}" if intake.place_region else intake.place,
        "manual_patch": _sorted(intake.invoice_patch),
        **({"carried": intake.carried.model_dump(mode="json", exclude_defaults=True)} if intake.carried else {}),
        **_short(intake),
        **papers_as_posted(intake.papers),
        "account": canonical_account(intake, sealer) if account is None else account,
    }


def canonical_account(intake: Intake, sealer: Sealer) -> dict[str, Any]:
    """What is stored of its account; `ref` is the reference the ledger uses (opaque where it would be personal)."""
    return {
        "ref": ref_of(intake, sealer),
        "kind": intake.kind,
        "country": intake.country,
        "region": intake.region,
        "zone": intake.zone_given,
        "language": intake.language,
        "register": intake.register,
        "manual": intake.manual,
        "manual_patch": _sorted(intake.account_patch),
        "contacts": [_person(person, sealer) for person in intake.people],
        **({"terms": _sorted(intake.terms)} if intake.terms else {}),
        **({"links": {name: linked_ref(intake, ref, sealer) for name, ref in intake.links}} if intake.links else {}),
    }


def _instalments(intake: Intake) -> list[dict[str, Any]]:
    """As posted: where the due dates follow from terms or are assumed, another table later makes no other invoice of it."""
    if intake.papers.due_source != "stated":
        return [{"amount_minor": sum(amount for _, _, amount in intake.dues)}]
    return [{"number": n, "due_on": d.isoformat(), "amount_minor": a} for n, d, a in intake.dues]


def _short(intake: Intake) -> dict[str, Any]:
    """What most invoices do not have: deductions, and a currency to pay in that is not the debt's own."""
    found: dict[str, Any] = {}
    if intake.deductions:
        found["deductions"] = [one.model_dump(mode="json", exclude_none=True) for one in intake.deductions]
    if intake.payment_currency:
        found["payment_currency"] = intake.payment_currency
    return found


def ref_of(intake: Intake, sealer: Sealer) -> str:
    """The account's reference as the ledger, Temporal and its UI see it (design 4)."""
    return sealer.opaque_ref(intake.ref) if intake.ref_is_personal else intake.ref


def linked_ref(intake: Intake, ref: str, sealer: Sealer) -> str:
    """The reference of an account that this one hangs on, as the ledger sees it."""
    return sealer.opaque_ref(ref) if is_personal_ref(ref, DebtorKind(intake.kind), intake.country) else ref


def canonical_text(body: dict[str, Any]) -> str:
    """The canonical body as JSON: its keys are always in the same order."""
    return to_json(body).decode()


def canonical_hash(written: str) -> bytes:
    """sha256 of the canonical body as JSON."""
    return hashlib.sha256(written.encode()).digest()


def differences(was: dict[str, Any], now: dict[str, Any]) -> list[Difference]:
    """Every leaf that differs, in the order of the new body."""
    found: list[Difference] = []
    _compare(was, now, "", "", found)
    return found


def _person(person: Person, sealer: Sealer) -> dict[str, Any]:
    return {
        "role": person.role,
        "name": _hidden(person.name, sealer),
        "salutation": _hidden(person.salutation, sealer),
        "language": person.language,
        "channels": [
            {
                "channel": way.channel.value,
                "address": "#" + sealer.lookup(way.channel, way.address).hex()[:32],
                "consent": way.consent,
                "consent_at": way.consent_at.timestamp() if way.consent_at else None,
                "proof": _hidden(way.proof, sealer),
                "verified": way.verified,
                **({"verified_at": way.verified_at.timestamp()} if way.verified_at else {}),
            }
            for way in person.ways
        ],
    }


def _hidden(value: str, sealer: Sealer) -> str:
    return "#" + sealer.fingerprint(value) if value else ""


def _sorted(patch: dict[str, Any] | None) -> Any:
    return None if patch is None else json.loads(json.dumps(patch, sort_keys=True))


def _compare(was: Any, now: Any, key: str, pointer: str, found: list[Difference]) -> None:
    if was == ERASED or was == now:
        return
    if isinstance(was, dict) and isinstance(now, dict):
        for name in [*now, *(n for n in was if n not in now)]:
            _compare(was.get(name), now.get(name), name, f"{pointer}/{name}", found)
    elif isinstance(was, list) and isinstance(now, list):
        for index in range(max(len(was), len(now))):
            one, other = (side[index] if index < len(side) else None for side in (was, now))
            _compare(one, other, key, f"{pointer}/{index}", found)
    elif key in _PERSONAL or key in ("contacts", "channels"):
        found.append(Difference(pointer, personal=True))
    else:
        found.append(Difference(pointer, personal=False, was=was, now=now))
