"""Bodies that stand in the API's description and are posted by its tests, so that they stay true."""

from __future__ import annotations

from typing import Any

from fastapi.openapi.models import Example

_ANA: dict[str, Any] = {
    "ref": "C-1001",
    "kind": "consumer",
    "country": "CO",
    "region": "CO-DC",
    "language": "es",
    "register": "usted",
    "contacts": [
        {
            "role": "holder",
            "name": "Ana Restrepo Gil",
            "salutation": "Ana",
            "channels": [
                {
                    "channel": "email",
                    "address": "ana@correo.example",
                    "consent": "given",
                    "consent_at": "2026-01-15T10:00:00-05:00",
                    "proof": "contract 2026-15, clause 9",
                    "verified": True,
                },
                {"channel": "sms", "address": "300 123 4567", "consent": "given"},
            ],
        }
    ],
}
INVOICE: dict[str, Any] = {
    "number": "F-1001",
    "currency": "COP",
    "issued_on": "2026-03-01",
    "due_on": "2026-03-16",
    "amount_minor": 25000000,
    "account": _ANA,
}
INVOICE_IN_INSTALMENTS: dict[str, Any] = {
    "number": "F-1002",
    "currency": "COP",
    "issued_on": "2026-03-01",
    "instalments": [
        {"number": 1, "due_on": "2026-03-16", "amount_minor": 10000000},
        {"number": 2, "due_on": "2026-04-16", "amount_minor": 10000000},
        {"number": 3, "due_on": "2026-05-16", "amount_minor": 5000000},
    ],
    "account": _ANA,
    "manual_patch": {"send_at": "10:00"},
}
BATCH: dict[str, Any] = {"invoices": [INVOICE, INVOICE_IN_INSTALMENTS]}
AMENDMENT: dict[str, Any] = {"due_on": "2026-03-31", "reason": "new date agreed"}
AGREEMENTS: dict[str, Example] = {
    "extension": {"value": {"kind": "extension", "until": "2026-03-26"}},
    "instalments": {"value": {"kind": "plan", "count": 3, "first_on": "2026-03-20", "every_days": "monthly"}},
    "discount": {"value": {"kind": "discount", "pay_on": "2026-03-20"}},
    "promise": {"value": {"kind": "promise", "on": "2026-03-20", "amount_minor": 25000000}},
}
MANUAL_CONTACT: dict[str, Any] = {
    "ref": "call-2026-118", "channel": "call", "direction": "out", "at": "2026-03-02T09:30:00-05:00", "outcome": "conversation",
    "note_code": "asked_for_copy",
}  # fmt: skip
