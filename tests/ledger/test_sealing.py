"""Sealing: what is sealed opens only with its key, and what is looked up cannot be searched without it."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest

from ledger.sealing import CannotUnseal, Sealer
from tests import cast


@pytest.mark.parametrize("key", ["", "abc", base64.b64encode(b"x" * 31).decode(), "not base64 at all ***"])
def test_a_master_key_is_base64_of_32_bytes(key: str) -> None:
    with pytest.raises(ValueError, match="openssl rand"):
        Sealer(key)


def test_what_is_sealed_opens_again_and_is_never_the_same_twice() -> None:
    sealer = cast.sealer()
    one, other = sealer.seal(b"secret"), sealer.seal(b"secret")
    assert one != other and sealer.unseal(one) == sealer.unseal(other) == b"secret"


def test_a_changed_byte_another_key_or_another_purpose_opens_nothing() -> None:
    sealer, stranger = cast.sealer(), Sealer(base64.b64encode(b"y" * 32).decode())
    sealed, key = sealer.seal(cast.ANA_EMAIL.encode()), sealer.new_data_key()
    wrapped = sealer.wrap(key)
    card = sealer.seal_under(key, b"card")
    attempts: list[tuple[Callable[[bytes], bytes], bytes]] = [
        (sealer.unseal, sealed[:-1] + bytes([sealed[-1] ^ 1])),
        (stranger.unseal, sealed),
        (sealer.unseal, wrapped),
        (stranger.unwrap, wrapped),
        (lambda blob: sealer.unseal_under(sealer.new_data_key(), blob), card),
        (sealer.unseal, b""),
    ]
    for opener, blob in attempts:
        with pytest.raises(CannotUnseal) as caught:
            opener(blob)
        assert cast.ANA_EMAIL not in str(caught.value)
    assert sealer.unwrap(wrapped) == key


def test_one_number_is_found_however_it_answers_and_an_address_without_its_case() -> None:
    sealer = cast.sealer()
    phones = {sealer.lookup(channel, cast.ANA_PHONE) for channel in ("sms", "whatsapp", "voice")}
    assert phones == {sealer.lookup("sms", "+57 300 123 4567")}
    assert sealer.lookup("email", "Ana@Correo.example") == sealer.lookup("email", " ana@correo.example")
    assert sealer.lookup("email", cast.ANA_PHONE) != sealer.lookup("sms", cast.ANA_PHONE)
    assert sealer.lookup("email", "a@b.example") != Sealer(base64.b64encode(b"y" * 32).decode()).lookup("email", "a@b.example")


def test_an_opaque_reference_is_always_the_same_and_says_nothing() -> None:
    sealer = cast.sealer()
    ref = sealer.opaque_ref(cast.ANA_EMAIL)
    assert ref == sealer.opaque_ref(cast.ANA_EMAIL) != sealer.opaque_ref(cast.LUIS_EMAIL)
    assert ref.startswith("a-") and len(ref) == 22 and "ana" not in ref[2:]
