"""What a guessed password costs; the other tests hash with less."""

from __future__ import annotations

from argon2 import Type

from tests.conftest import PRODUCT_HASHER


def test_a_password_is_hashed_as_rfc_9106_recommends_where_memory_is_limited() -> None:
    assert PRODUCT_HASHER.type is Type.ID
    assert PRODUCT_HASHER.time_cost >= 3 and PRODUCT_HASHER.memory_cost >= 64 * 1024 and PRODUCT_HASHER.salt_len >= 16
