"""The secrets of the simulated providers, the same for the same seed, so that the stack can be configured before it starts."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_ORDER_OF_P256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@dataclass(frozen=True)
class SimulatedKeys:
    """What `settings.py` needs to believe the simulator, and the private half of it."""

    event_key: ec.EllipticCurvePrivateKey
    sendgrid_webhook_key: str
    """Base64 of the public key, as SendGrid shows it."""
    twilio_account_sid: str
    twilio_auth_token: str
    twilio_from: str
    """One of Twilio's own magic numbers, which sends nothing anywhere."""
    carrier_secret: str

    def sign_events(self, stamp: str, body: str) -> str:
        """The ECDSA signature over timestamp and body, as SendGrid makes it."""
        return base64.b64encode(self.event_key.sign((stamp + body).encode(), ec.ECDSA(hashes.SHA256()))).decode()


def simulated_keys(seed: int) -> SimulatedKeys:
    """The keys of `seed`."""
    scalar = int.from_bytes(_bytes(seed, "events")) % (_ORDER_OF_P256 - 1) + 1
    event_key = ec.derive_private_key(scalar, ec.SECP256R1())
    public = event_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return SimulatedKeys(
        event_key=event_key,
        sendgrid_webhook_key=base64.b64encode(public).decode(),
        twilio_account_sid="AC" + _bytes(seed, "account").hex()[:32],
        twilio_auth_token=_bytes(seed, "token").hex()[:32],
        twilio_from="+15005550006",
        carrier_secret="whsec_" + base64.b64encode(_bytes(seed, "carrier")).decode(),
    )


def _bytes(seed: int, purpose: str) -> bytes:
    return hashlib.sha256(f"puntual simulator {seed} {purpose}".encode()).digest()
