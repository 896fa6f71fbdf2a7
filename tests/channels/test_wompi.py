"""Wompi's events: the published vectors, what each state means, and what is refused."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from channels import BadSignature
from channels.gateways import BadBody
from channels.wompi import read_wompi, verify_wompi

SECRET = "test_events_secret"
STAMP = 1773500400
SIGNED = ["transaction.id", "transaction.status", "transaction.amount_in_cents"]


def event(**change: Any) -> dict[str, Any]:
    thing = {
        "id": "1-2-3", "amount_in_cents": 25_000_000, "reference": "F-1001", "currency": "COP", "payment_method_type": "PSE",
        "status": "PENDING",
    } | change  # fmt: skip
    text = f"{thing['id']}{thing['status']}{thing['amount_in_cents']}{STAMP}{SECRET}"
    signature = {"properties": SIGNED, "checksum": hashlib.sha256(text.encode()).hexdigest()}
    return {"event": "transaction.updated", "data": {"transaction": thing}, "timestamp": STAMP, "signature": signature}


def body(given: dict[str, Any]) -> bytes:
    return json.dumps(given).encode()


@pytest.mark.shared
def test_the_published_vectors(shared_folder: Path) -> None:
    vectors = json.loads((shared_folder / "data/3_signatures/vectors.json").read_text())
    tried = 0
    for vector in (v for v in vectors if v["scheme"] == "wompi-event-checksum"):
        tried += 1
        try:
            verify_wompi(vector["body"].encode(), vector["headers"], secret=vector["secret"])
            said = "valid"
        except BadSignature:
            said = "invalid"
        assert said == vector["expect"], vector["id"]
    assert tried >= 4


def test_one_changed_value_and_a_changed_header_are_refused() -> None:
    good = event()
    verify_wompi(body(good), {}, secret=SECRET)
    verify_wompi(body(good), {"X-Event-Checksum": good["signature"]["checksum"].upper()}, secret=SECRET)
    good["data"]["transaction"]["amount_in_cents"] += 1
    with pytest.raises(BadSignature):
        verify_wompi(body(good), {}, secret=SECRET)
    with pytest.raises(BadSignature):
        verify_wompi(body(event()), {"x-event-checksum": "0" * 64}, secret=SECRET)


def test_a_signature_that_covers_nothing_is_none() -> None:
    bare = event()
    bare["signature"] = {"properties": [], "checksum": hashlib.sha256(f"{STAMP}{SECRET}".encode()).hexdigest()}
    with pytest.raises(BadSignature):
        verify_wompi(body(bare), {}, secret=SECRET)


def test_an_old_copy_is_refused_where_the_time_is_known() -> None:
    now = datetime.fromtimestamp(STAMP, UTC) + timedelta(days=3)
    verify_wompi(body(event()), {}, secret=SECRET, now=now)
    with pytest.raises(BadSignature):
        verify_wompi(body(event()), {}, secret=SECRET, now=now + timedelta(seconds=1))


@pytest.mark.parametrize(
    ("status", "method", "what"),
    [
        ("APPROVED", "CARD", "paid"),
        ("PENDING", "PSE", "in_process"),
        ("PENDING", "BANCOLOMBIA_COLLECT", "nothing"),
        ("DECLINED", "CARD", "not_paid"),
        ("ERROR", "PSE", "not_paid"),
        ("VOIDED", "CARD", "taken_back"),
    ],
)
def test_what_a_transaction_says(status: str, method: str, what: str) -> None:
    read = read_wompi(body(event(status=status, payment_method_type=method)))
    assert (read.what, read.money, read.amount_minor, read.currency) == (what, "1-2-3", 25_000_000, "COP")
    assert read.references == ("F-1001",) and read.event_id == f"1-2-3:{status}"


def test_a_state_that_nobody_documents_is_told_back_and_other_events_are_only_stored() -> None:
    with pytest.raises(BadBody):
        read_wompi(body(event(status="DREAMING")))
    with pytest.raises(BadBody):
        read_wompi(body(event(amount_in_cents="12")))
    assert read_wompi(body(event() | {"event": "nequi_token.updated"})).what == "nothing"
