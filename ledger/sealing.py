"""Sealing: personal data under a key of each person, and that key and all secrets under the master key.

AES-256-GCM with a random nonce in front. Erasing a person is forgetting the person's key; lookups and fingerprints are keyed
hashes, so that a stolen table cannot be searched for a telephone number.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from policies.terms import Channel

_NONCE = 12
_FAMILY = {
    Channel.EMAIL: b"email",
    Channel.SMS: b"phone",
    Channel.WHATSAPP: b"phone",
    Channel.VOICE: b"phone",
    Channel.LETTER: b"letter",
}


class CannotUnseal(RuntimeError):
    """The bytes were changed, or sealed under another key. Says nothing of the content."""


def _open(cipher: AESGCM, sealed: bytes) -> bytes:
    blob = bytes(sealed)
    try:
        return cipher.decrypt(blob[:_NONCE], blob[_NONCE:], None)
    except (InvalidTag, ValueError):
        raise CannotUnseal(
            "these bytes were changed, or sealed under another key: is PUNTUAL_MASTER_KEY the one they began with?"
        ) from None


def _close(cipher: AESGCM, plain: bytes) -> bytes:
    nonce = os.urandom(_NONCE)
    return nonce + cipher.encrypt(nonce, plain, None)


class Sealer:
    """Everything that needs the master key. Thread-safe; one per process."""

    def __init__(self, master_key_b64: str) -> None:
        """Raise ValueError unless the key is base64 of exactly 32 bytes."""
        try:
            master = base64.b64decode(master_key_b64, validate=True)
        except (binascii.Error, ValueError):
            master = b""
        if len(master) != 32:
            raise ValueError("PUNTUAL_MASTER_KEY must be base64 of 32 random bytes: make one with `openssl rand -base64 32`")
        self._wrapping = AESGCM(_derived(master, b"puntual wrap person keys 1"))
        self._secrets = AESGCM(_derived(master, b"puntual seal secrets 1"))
        self._lookups = _derived(master, b"puntual lookups 1")

    def seal(self, plain: bytes) -> bytes:
        """Seal a secret that belongs to no person (a webhook secret, a stored request) under the master key."""
        return _close(self._secrets, plain)

    def unseal(self, sealed: bytes) -> bytes:
        """Undo `seal`; raises CannotUnseal."""
        return _open(self._secrets, sealed)

    def new_data_key(self) -> bytes:
        """A fresh 256-bit key for one person."""
        return os.urandom(32)

    def wrap(self, data_key: bytes) -> bytes:
        """A person's key as it is stored."""
        return _close(self._wrapping, data_key)

    def unwrap(self, wrapped: bytes) -> bytes:
        """Undo `wrap`; raises CannotUnseal."""
        return _open(self._wrapping, wrapped)

    def seal_under(self, data_key: bytes, plain: bytes) -> bytes:
        """Seal personal data under its person's key."""
        return _close(AESGCM(data_key), plain)

    def unseal_under(self, data_key: bytes, sealed: bytes) -> bytes:
        """Undo `seal_under`; raises CannotUnseal."""
        return _open(AESGCM(data_key), sealed)

    def lookup(self, channel: Channel | str, value: str) -> bytes:
        """Keyed hash that finds an address again.

        E-mail addresses compare without case. SMS, WhatsApp and voice share the hash of one telephone number (E.164), so that
        a number is one and the same person whichever way it answers.
        """
        normal = value.strip()
        family = _FAMILY[Channel(channel)]
        if family == b"email":
            normal = normal.casefold()
        elif family == b"phone":
            normal = "".join(c for c in normal if c.isdigit() or c == "+")
        return self._keyed(family + b"\0" + normal.encode())

    def fingerprint(self, text: str) -> str:
        """Keyed hash (32 hex digits) of a personal text that is kept only to be compared."""
        return self._keyed(b"text\0" + text.encode()).hex()[:32]

    def token(self, purpose: str, text: str) -> str:
        """256 bits that only this key can make again for this purpose and text, for a web address (43 characters)."""
        digest = hmac.digest(self._lookups, b"token\0" + purpose.encode() + b"\0" + text.encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")

    def opaque_ref(self, text: str) -> str:
        """What stands for an account reference that would be personal data: `a-` and 20 hex digits, always the same."""
        return "a-" + self._keyed(b"ref\0" + text.encode()).hex()[:20]

    def _keyed(self, text: bytes) -> bytes:
        """Keyed BLAKE2b: a MAC as HMAC is, at a third of its time, and intake asks for several per invoice."""
        return hashlib.blake2b(text, key=self._lookups, digest_size=32).digest()


def _derived(master: bytes, info: bytes) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=info).derive(master)
