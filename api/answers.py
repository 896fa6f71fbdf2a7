"""What each route answers when all is well, as the API's description shows it; a test holds each against its schema."""

from __future__ import annotations

from typing import Any

_ID, _ACCOUNT, _OTHER = (
    "01a200e7-0eb2-7844-8efd-31b0bd5406bf", "01a200e7-0eb1-7c19-9aef-e6c7f409367f", "01a200e7-0eb3-7d20-8a51-5a1f0e9c2b77",
)  # fmt: skip
_ROW: dict[str, Any] = {
    "id": _ID, "number": "F-1001", "currency": "COP", "issued_on": "2026-03-01", "state": "open", "balance_minor": 25000000,
    "payable_minor": 25000000, "payment_currency": None,
    "account": {"id": _ACCOUNT, "ref": "C-1001", "kind": "consumer", "country": "CO", "zone": "America/Bogota"},
    "instalments": [{"number": 1, "due_on": "2026-03-16", "effective_due_on": "2026-03-16", "amount_minor": 25000000,
                     "balance_minor": 25000000, "due_source": "terms", "due_terms": "15D"}],
    "next": {
        "kind": "contact", "at": "2026-03-13T14:00:00Z", "rung": "S1", "channel": "email", "why": "S1 falls on 2026-03-13.",
    },
    "held_why": None, "entered_at": "2026-03-02T15:00:00Z", "workflow_id": "invoice:acme:F-1001",
}  # fmt: skip
_STEP: dict[str, Any] = {
    "invoice_id": _ID, "number": "F-1001", "what": "contact", "at": "2026-03-13T14:00:00Z",
    "at_local": "2026-03-13T09:00:00-05:00", "rung": "S1",
    "channel": "email", "amount_minor": 25000000, "why": "S1 falls on 2026-03-13.", "rules": ["ladder.S1"],
    "depends_on": [], "cancelled_by": ["payment in full", "cancellation", "dispute"],
}  # fmt: skip
_PLAN: dict[str, Any] = {
    "invoice_id": _ID, "as_of": "2026-03-02T15:00:00Z", "until": "2027-03-02T15:00:00Z", "steps": [_STEP],
}  # fmt: skip
_LATER = _PLAN | {"steps": [_STEP | {
    "at": "2026-03-27T14:00:00Z", "at_local": "2026-03-27T09:00:00-05:00", "why": "S1 falls on 2026-03-27.",
}]}  # fmt: skip
_EVENTS: list[dict[str, Any]] = [
    {
        "id": 1, "at": "2026-03-02T15:00:00Z", "what": "accepted", "by": "key 3f9a01c27b", "why": "", "rules": [], "versions": {},
        "detail": {"number": "F-1001", "amount_minor": 25000000},
    },
    {
        "id": 2, "at": "2026-03-13T14:00:01Z", "what": "contacted", "by": "puntual", "why": "S1 falls on 2026-03-13.",
        "rules": ["ladder.S1"],
        "versions": {"policy": "0.1.0", "law": {"CO": "2026-11-21:b13c58d0a6f1"}, "manual": "5b0c9a1f2e3d4c5b"},
        "detail": {"key": "1.1.S1.0", "rung": "S1", "channel": "email", "amount_minor": 25000000, "currency": "COP"},
        "contact": {
            "id": _OTHER, "key": "1.1.S1.0", "rung": "S1", "channel": "email", "state": "delivered", "amount_minor": 25000000,
            "currency": "COP", "at_local": "2026-03-13T09:00:01", "zone": "America/Bogota", "late_days": 0, "template": "pre_due",
            "text_version": "pre_due.es.3", "provider": "sendgrid", "attempt": 1,
            "receipts": [{"status": "delivered", "at": "2026-03-13T14:00:05Z", "reason": ""}],
        },
    },
    {
        "id": 3, "at": "2026-03-14T16:20:00Z", "what": "paused", "by": "key 3f9a01c27b", "why": "customer abroad", "rules": [],
        "versions": {}, "detail": {"hold": _OTHER, "until": "2026-04-01T14:00:00Z", "reason": "customer abroad"},
    },
]  # fmt: skip
_CONTACTS: list[dict[str, Any]] = [
    {
        "id": _OTHER, "made": "automatic", "channel": "email", "direction": "out", "outcome": "delivered",
        "at": "2026-03-13T14:00:01Z", "at_local": "2026-03-13T09:00:01", "zone": "America/Bogota", "person_id": _ACCOUNT,
        "address_id": _OTHER, "rung": "S1", "key": "1.1.S1.0", "template": "pre_due", "amount_minor": 25000000, "currency": "COP",
        "ref": None, "note_code": "", "recorded_by": None, "folded_into": None,
    },
    {
        "id": _ID, "made": "manual", "channel": "voice", "direction": "out", "outcome": "conversation",
        "at": "2026-03-18T14:30:00Z", "at_local": "2026-03-18T09:30:00", "zone": "America/Bogota", "person_id": _ACCOUNT,
        "address_id": None, "rung": None, "key": None, "template": None, "amount_minor": None, "currency": None,
        "ref": "call-2026-118", "note_code": "asked_for_copy", "recorded_by": "key 3f9a01c27b",
        "folded_into": None,
    },
]  # fmt: skip
_AGREED: dict[str, Any] = {
    "id": _OTHER, "kind": "promise", "currency": "COP", "made_on": "2026-03-18", "grace_days": 1, "waived_minor": 0,
    "milestones": [{"number": 1, "due_on": "2026-03-20", "amount_minor": 25000000}],
}  # fmt: skip
_UNMATCHED: dict[str, Any] = {
    "id": _OTHER, "kind": "payment", "why": "no_invoice", "source": "standard", "source_ref": "pay-9", "amount_minor": 5000000,
    "left_minor": 5000000, "currency": "COP", "paid_on": "2026-03-14", "recorded_at": "2026-03-14T15:00:00Z", "hint": "F-1OO1",
    "invoice_id": None, "invoice_number": None,
}  # fmt: skip
_MANUAL: dict[str, Any] = {
    "id": "5b0c9a1f2e3d4c5b6a79881726354433221100ffeeddccbbaa99887766554433", "name": "acme", "origin": {"send_at": "invoice"},
    "content": {"send_at": "10:00", "limits": {"holidays": True}},
}  # fmt: skip

_CONTACTABILITY: dict[str, Any] = {
    "channel": "sms", "at": "2026-03-07T21:00:00Z", "at_local": "2026-03-07T16:00:00-05:00", "zone": "America/Bogota",
    "verdict": "deny", "next_allowed_at": "2026-03-09T12:00:00Z", "next_allowed_local": "2026-03-09T07:00:00-05:00",
    "why": "16:00 on Saturday 7 March 2026 is outside the hours; first allowed on Monday 9 March 2026 at 07:00",
    "rules": [{
        "id": "CO.hours", "basis": "law",
        "text": "In Colombia a consumer may be contacted Monday to Friday 07:00-19:00 and Saturday 08:00-15:00.",
        "citation": "Ley 2300 de 2023 art. 3", "source": "https://accolombianlawyers.com/noticias/?p=31540", "confidence": "high",
    }],
    "people": [{
        "person_id": _OTHER, "role": "holder", "verdict": "deny", "next_allowed_at": "2026-03-09T12:00:00Z",
        "why": "16:00 on Saturday 7 March 2026 is outside the hours", "rules": ["CO.hours"], "confirmed": True,
    }],
    "jurisdictions": ["CO"], "zones": ["America/Bogota"],
}  # fmt: skip
_SOURCE: dict[str, Any] = {
    "name": "bank", "kind": "bank", "complete_to": "2026-03-13", "seen_at": "2026-03-16T12:10:00Z", "fresh_minutes": 60,
    "expected_by": "10:00", "late": False, "invoices_rung": 0,
}  # fmt: skip
_DOCUMENT: dict[str, Any] = {
    "id": _OTHER, "kind": "pdf", "name": "F-1001.pdf", "media_type": "application/pdf", "bytes": 48213,
    "sha256": "5b0c9a1f2e3d4c5b6a79881726354433221100ffeeddccbbaa99887766554433", "recorded_at": "2026-03-02T15:00:00Z",
    "erased": False,
}  # fmt: skip
_PAPERS: dict[str, Any] = {
    "delivery": [{"kind": "accepted", "on": "2026-03-02", "source": "tax_authority", "reason": "", "by": "key 3f9a01c27b",
                  "recorded_at": "2026-03-02T16:00:00Z"}],
    "documents": [_DOCUMENT], "replaces": {"id": _ACCOUNT, "number": "F-0987"}, "replaced_by": None,
}  # fmt: skip
_DEDUCTION: dict[str, Any] = {
    "number": 1, "kind": "retefuente", "rate": "2.5", "base_minor": 20000000, "amount_minor": 500000, "open_minor": 500000,
    "where_paid": "payer_withholds", "state": "declared", "decide_by": None, "certificate_required": True,
    "certificate_on": None, "released_on": None,
}  # fmt: skip
ANSWERS: dict[str, Any] = {
    "GET /v1/snapshots/differences": {"differences": [{
        "invoice_id": _ID, "number": "F-1001", "currency": "COP", "as_of": "2026-03-16", "erp_minor": 25000000,
        "balance_minor": 15000000, "differs_minor": 10000000, "state": "open",
    }]},
    "POST /v1/invoices/{invoice_id}/deductions/{number}/confirm": {"changed": True},
    "POST /v1/invoices/{invoice_id}/deductions/{number}/decline": {"changed": True},
    "POST /v1/invoices/{invoice_id}/deductions/{number}/certificate": {"changed": True},
    "POST /v1/invoices/{invoice_id}/deductions/{number}/reclassify": {"changed": True},
    "PUT /v1/index-values": {"changed": 31, "invoices": 4},
    "GET /v1/index-values": [{
        "code": "CLF", "payment_currency": "CLP", "on_day": "2026-06-12", "valid_until": "2026-06-12", "value": "39383.07",
        "source": "SII",
    }],
    "GET /v1/payment-sources": {"sources": [_SOURCE]},
    "POST /v1/payment-sources": _SOURCE,
    "POST /v1/payment-sources/{source}/told": _SOURCE | {"invoices_rung": 12},
    "DELETE /v1/payment-sources/{source}": {"done": True},
    "POST /v1/invoices/{invoice_id}/payments-in-process": {"result": "held", "until": "2026-03-24T05:00:00Z"},
    "POST /v1/invoices/{invoice_id}/instruments": {"id": _OTHER, "until": "2026-04-23T05:00:00Z", "status": "created"},
    "POST /v1/invoices/{invoice_id}/instruments/{instrument_id}/end": {"done": True},
    "POST /v1/invoices/{invoice_id}/cession": {"id": _OTHER},
    "POST /v1/invoices/{invoice_id}/cession/end": {"done": True},
    "POST /v1/invoices/{invoice_id}/deadlines": {"done": True},
    "GET /v1/tasks": {"tasks": [{
        "id": _OTHER, "kind": "approve_placement", "invoice_id": _ID, "number": "F-1001", "account_ref": "C-1001",
        "why": "The ladder has ended: decide whether the debt is kept or goes to the agency.", "due_at": "2026-06-12T23:00:00Z",
        "created_at": "2026-06-05T14:00:00Z", "assigned_to": None, "ends_with": "approve or decline the placement",
    }], "cursor": None},
    "GET /v1/payment-events": {"events": [{
        "id": 5123, "source": "stripe", "event_id": "evt_1Q2w3E", "account_ref": "C-1001", "received_at": "2026-03-20T14:00:00Z",
        "tries": 6, "why": "failed: OperationalError",
    }]},
    "POST /v1/payment-events/{stored_event}/again": {"done": True},
    "GET /v1/placements": {"placements": [{
        "id": _OTHER, "invoice_id": _ID, "number": "F-1001", "account_ref": "C-1001", "currency": "COP", "state": "proposed",
        "recommend": "place", "figures": {
            "balance_minor": 25000000, "expected_house_minor": 1000000, "house_cost_minor": 1500000,
            "agency_gross_minor": 6250000, "commission_minor": 1562500, "expected_agency_minor": 4687500,
            "advantage_minor": 3687500, "minimum_minor": 20000000,
        },
        "payable_minor": 25000000, "proposed_at": "2026-06-05T14:00:00Z", "decide_by": "2026-06-12T23:00:00Z",
        "decided_by": None, "decided_at": None, "placed_at": None, "return_by": None, "ended_at": None,
    }], "cursor": None},
    "POST /v1/tasks/{task_id}/done": {"done": True},
    "GET /v1/reports/conduct": {"since": "2026-03-01", "until": "2026-03-31", "contacts": 214, "avoidable": []},
    "POST /webhooks/wompi/{token}": {"received": True, "result": "stored"},
    "POST /v1/invoices": {"id": _ID, "number": "F-1001", "status": "created"},
    "GET /v1/invoices": {"invoices": [_ROW], "cursor": None},
    "POST /v1/invoices/batch": {
        "created": 1, "same": 0, "different": 0, "refused": 1,
        "results": [
            {"index": 0, "status": "created", "id": _ID, "problem": None},
            {"index": 1, "status": "refused", "id": None, "problem": {
                "type": "https://puntual.example/problems/invalid", "title": "This invoice makes no sense as it is",
                "status": 422, "detail": "/due_on: give due_on and amount_minor, or instalments",
                "errors": [{"where": "body", "pointer": "/due_on", "detail": "give due_on and amount_minor, or instalments"}]}},
        ],
    },
    "POST /v1/invoices/{invoice_id}/delivery": {"changed": True},
    "POST /v1/invoices/{invoice_id}/due-date/confirm": {"changed": True},
    "GET /v1/invoices/{invoice_id}/documents": {"documents": [_DOCUMENT]},
    "POST /v1/invoices/{invoice_id}/documents": {"documents": [_DOCUMENT]},
    "GET /v1/invoices/{invoice_id}": _ROW | _PAPERS | {"outcome_at": None, "cycle": 1, "revision": 1, "holds": [],
        "deductions": [_DEDUCTION], "conversion": None, "manual": _MANUAL},
    "PATCH /v1/invoices/{invoice_id}": {
        "changed": True, "balance_minor": 25000000, "freed_minor": 0, "plan_before": _PLAN, "plan_after": _LATER,
    },
    "POST /v1/invoices/{invoice_id}/cancel": {"changed": True},
    "POST /v1/invoices/{invoice_id}/pause": {"id": _OTHER, "until": "2026-04-01T14:00:00Z"},
    "POST /v1/invoices/{invoice_id}/resume": {"changed": True},
    "POST /v1/invoices/{invoice_id}/contacts": {"id": _OTHER, "status": "created"},
    "GET /v1/invoices/{invoice_id}/contacts": {"contacts": _CONTACTS, "cursor": None},
    "GET /v1/debtors/{debtor}/contactability": _CONTACTABILITY,
    "GET /v1/invoices/{invoice_id}/plan": _PLAN,
    "GET /v1/invoices/{invoice_id}/history": {"invoice_id": _ID, "events": _EVENTS},
    "POST /v1/invoices/{invoice_id}/promise": _AGREED,
    "POST /v1/invoices/{invoice_id}/portal": {"state": "scheduled", "agreement": _OTHER},
    "POST /v1/invoices/{invoice_id}/reason": {
        "did": ["promise"], "first_offer": "date", "second_offer": "", "agreement": _AGREED,
    },
    "POST /v1/invoices/{invoice_id}/agreement": _AGREED,
    "POST /v1/invoices/{invoice_id}/agreement/withdraw": {"done": True, "invoices": None},
    "POST /v1/invoices/{invoice_id}/dispute": {"id": _OTHER},
    "POST /v1/invoices/{invoice_id}/dispute/close": {"done": True, "invoices": None},
    "POST /v1/accounts/{account_ref}/owner": {"changed": True},
    "POST /v1/invoices/{invoice_id}/own-promises": {"id": _OTHER},
    "GET /v1/invoices/{invoice_id}/own-promises": [
        {"id": _OTHER, "kind": "send_copy", "due_at": "2026-03-05T05:00:00Z", "done_at": None}
    ],
    "POST /v1/invoices/{invoice_id}/own-promises/{promise_id}/done": {"changed": True},
    "POST /v1/invoices/{invoice_id}/already-paid": {"until": "2026-03-24T05:00:00Z"},
    "POST /v1/invoices/{invoice_id}/write-off": {"changed": True},
    "POST /v1/invoices/{invoice_id}/placement/approve": {"id": _OTHER},
    "POST /v1/invoices/{invoice_id}/placement/decline": {"id": _OTHER},
    "GET /v1/payments/unmatched": [_UNMATCHED],
    "POST /v1/payments/{payment_id}/apply": {"applied_minor": 5000000, "left_minor": 0, "balance_minor": 20000000},
    "GET /v1/accounts/{account_ref}": {
        "id": _ACCOUNT, "ref": "NORTH", "kind": "business", "country": "CO", "region": "DC", "zone": "America/Bogota",
        "language": "es", "register": "", "payer": "HQ", "bill_to": None, "parent": "HQ", "pays_for": [], "branches": [],
        "minor": False, "related": None, "short_name": "Andina", "habits": {"payment_days": ["fri"]}, "proposed_habits": None,
        "people": [{
            "person_id": _OTHER, "role": "payables", "language": "es",
            "ways": [{
                "address_id": _ID, "channel": "sms", "consent": "given", "verified_at": "2026-03-02T15:00:00Z",
                "last_heard_at": None, "retired_at": None, "retired_why": None,
            }],
        }],
    },
    "PATCH /v1/accounts/{account_ref}": {"changed": ["region", "zone"], "invoices": 2},
    "POST /v1/accounts/{account_ref}/consents": {"changed": 1},
    "POST /v1/accounts/{account_ref}/suppressions": {"id": _OTHER},
    "POST /v1/accounts/{account_ref}/exempt": {"done": True, "invoices": 3},
    "POST /v1/accounts/{account_ref}/exempt/end": {"done": True, "invoices": 3},
    "POST /v1/suppressions/{suppression_id}/lift": {"done": True, "invoices": None},
    "GET /v1/approvals": {"day": "2026-03-19", "contacts": [{
        "id": _OTHER, "invoice_id": _ID, "number": "F-1001", "account_ref": "C-1001", "key": "1.1.S2.0", "rung": "S2",
        "channel": "email", "template": "first_reminder", "amount_minor": 25000000, "currency": "COP",
        "planned_at": "2026-03-19T14:00:00Z", "why": "S2 falls on 2026-03-19.", "state": "proposed", "together_with": None,
        "decided_by": None, "decided_at": None, "good_until": None, "went": None,
    }]},
    "POST /v1/approvals": {"approved": 41, "declined": 1},
    "POST /v1/creditor/stop": {"done": True, "invoices": 214},
    "POST /v1/creditor/resume": {"done": True, "invoices": 214},
    "POST /webhooks/payments/{token}": {"received": True, "result": "stored"},
    "POST /webhooks/stripe/{token}": {"received": True, "result": "stored"},
    "POST /webhooks/sendgrid": {"received": True, "results": {"delivered": 1}},
    "POST /webhooks/twilio/status/{contact_id}": {"received": True, "results": {"delivered": 1}},
    "POST /webhooks/carrier": {"received": True, "results": {"failed": 1}},
    "GET /health": {"status": "ok"},
}  # fmt: skip
