"""Which manual an invoice follows: resolved at entry, stored once by its hash, pinned (design 2; F7, F16)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger.refusals import Refused
from policies.intake import Problem, Unreadable
from policies.manual import BUILTIN, Manual, ManualError, builtin_manual, resolve


@dataclass(frozen=True, slots=True)
class _Pin:
    """A resolved manual as it is stored; `problem` says why there is none."""

    id: str
    name: str
    content: str
    origin: str
    problem: str = ""


@lru_cache(maxsize=512)
def _resolved(content: str, account_patch: str, invoice_patch: str) -> _Pin:
    """All arguments are JSON texts, so that what was resolved once is known again by its content."""
    levels = [json.loads(patch) if patch else None for patch in (account_patch, invoice_patch)]
    try:
        found = resolve(Manual.model_validate_json(content), *levels)
    except ManualError as error:
        return _Pin("", "", "", "", str(error))
    origin = json.dumps(found.origin) if account_patch or invoice_patch else "{}"
    return _Pin(found.manual.id, found.manual.name, json.dumps(found.manual.model_dump(mode="json")), origin)


class Pinner:
    """Resolves and stores manuals for one transaction; each distinct combination once."""

    def __init__(self, session: Session, creditor_id: UUID | str, default_manual_id: str | None, *, now: datetime) -> None:
        self._session = session
        self._creditor_id = str(creditor_id)
        self._default = default_manual_id
        self._now = now
        self._bases: dict[str | None, str] = {}
        self._pins: dict[tuple[str | None, str, str], _Pin] = {}
        self._stored: set[str] = {default_manual_id} if default_manual_id else set()

    def pin(self, name: str | None, account_patch: dict[str, Any] | None, invoice_patch: dict[str, Any] | None) -> str:
        """The id of the resolved manual; raises Unreadable when a name or a patch makes none."""
        key = (name, _text(account_patch), _text(invoice_patch))
        pin = self._pins.get(key)
        if pin is None:
            pin = _resolved(self._base(name), key[1], key[2])
            if pin.problem:
                raise Unreadable([Problem("/manual_patch" if invoice_patch else "/account/manual_patch", pin.problem)])
            self._pins[key] = pin
        return pin.id

    @property
    def now(self) -> datetime:
        """The business time of the transaction."""
        return self._now

    def manual(self, manual_id: str) -> Manual:
        """A manual that was resolved here."""
        return Manual.model_validate_json(next(pin.content for pin in self._pins.values() if pin.id == manual_id))

    def store(self) -> None:
        """Write what was resolved since the last time."""
        for pin in sorted(self._pins.values(), key=lambda p: p.id):
            if pin.id not in self._stored:
                self._session.execute(
                    text(
                        "insert into manual (creditor_id, id, name, content, origin, created_at)"
                        " values (:creditor, :id, :name, cast(:content as jsonb), cast(:origin as jsonb), :now)"
                        " on conflict do nothing"
                    ),
                    {
                        "id": pin.id, "name": pin.name, "content": pin.content, "origin": pin.origin,
                        "creditor": self._creditor_id, "now": self._now,
                    },
                )  # fmt: skip
                self._stored.add(pin.id)

    def _base(self, name: str | None) -> str:
        if name not in self._bases:
            self._bases[name] = self._find(name)
        return self._bases[name]

    def _find(self, name: str | None) -> str:
        if name is None and self._default is None:
            raise Refused("no-manual", "this creditor has no manual: give it one with `puntual manual use`", status=409)
        where = "id = :id" if name is None else "name = :name and origin = '{}' order by created_at desc limit 1"
        content = self._session.execute(
            text(f"select content::text from manual where creditor_id = :creditor and {where}"),
            {"creditor": self._creditor_id, "id": self._default, "name": name},
        ).scalar()
        if content is not None:
            return str(content)
        if name is None or name not in BUILTIN:
            known = f"there is no manual of that name: give one of your own, or one of {', '.join(sorted(BUILTIN))}"
            raise Unreadable([Problem("/account/manual", known)])
        return builtin_manual(name).model_dump_json()


def _text(patch: dict[str, Any] | None) -> str:
    return json.dumps(patch, sort_keys=True) if patch else ""
