"""Which manual an invoice follows: resolved at entry, stored once by its hash, pinned (design 2; F7, F16)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger.refusals import Refused
from policies.intake import Problem, Unreadable
from policies.manual import BUILTIN, Manual, ManualError, builtin_manual, resolve


@dataclass(frozen=True, slots=True)
class _Pin:
    id: str
    row: dict[str, Any]


class Pinner:
    """Resolves and stores manuals for one transaction; each distinct combination once."""

    def __init__(self, session: Session, creditor_id: UUID | str, default_manual_id: str | None, *, now: datetime) -> None:
        self._session = session
        self._creditor_id = str(creditor_id)
        self._default = default_manual_id
        self._now = now
        self._bases: dict[str | None, Manual] = {}
        self._pins: dict[tuple[str | None, str, str], _Pin] = {}
        self._stored: set[str] = set()

    def pin(self, name: str | None, account_patch: dict[str, Any] | None, invoice_patch: dict[str, Any] | None) -> str:
        """The id of the resolved manual; raises Unreadable when a name or a patch makes none."""
        key = (name, _text(account_patch), _text(invoice_patch))
        pin = self._pins.get(key)
        if pin is None:
            base = self._base(name)
            try:
                found = resolve(base, account_patch, invoice_patch)
            except ManualError as error:
                where = "/manual_patch" if invoice_patch else "/account/manual_patch"
                raise Unreadable([Problem(where, str(error))]) from None
            content = json.dumps(found.manual.model_dump(mode="json"))
            origin = json.dumps(found.origin) if account_patch or invoice_patch else "{}"
            manual_id = found.manual.id
            pin = _Pin(manual_id, {"id": manual_id, "name": found.manual.name, "content": content, "origin": origin})
            self._pins[key] = pin
        return pin.id

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
                    {**pin.row, "creditor": self._creditor_id, "now": self._now},
                )
                self._stored.add(pin.id)

    def _base(self, name: str | None) -> Manual:
        if name not in self._bases:
            self._bases[name] = self._find(name)
        return self._bases[name]

    def _find(self, name: str | None) -> Manual:
        if name is None and self._default is None:
            raise Refused("no-manual", "this creditor has no manual: give it one with `puntual manual use`", status=409)
        where = "id = :id" if name is None else "name = :name and origin = '{}' order by created_at desc limit 1"
        content = self._session.execute(
            text(f"select content from manual where creditor_id = :creditor and {where}"),
            {"creditor": self._creditor_id, "id": self._default, "name": name},
        ).scalar()
        if content is not None:
            return Manual.model_validate(content)
        if name is None or name not in BUILTIN:
            known = f"there is no manual of that name: give one of your own, or one of {', '.join(sorted(BUILTIN))}"
            raise Unreadable([Problem("/account/manual", known)])
        return builtin_manual(name)


def _text(patch: dict[str, Any] | None) -> str:
    return json.dumps(patch, sort_keys=True) if patch else ""
