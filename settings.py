"""The environment, read once into one frozen Settings; read only by worker.py, cli.py, api/app.py and embedded.py."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from typing import Self

NO_SETTINGS = ("PUNTUAL_HOME", "PUNTUAL_SHARED")
"""Names that say where folders are; no part takes them as a setting."""


@dataclass(frozen=True)
class Settings:
    """Each field is the environment variable PUNTUAL_<FIELD> in capitals, except the providers' own names given below."""

    owner_url: str = ""
    """SQLAlchemy address of the migrations' role; only `puntual migrate` uses it."""
    api_url: str = ""
    worker_url: str = ""
    temporal_address: str = "127.0.0.1:7233"
    temporal_namespace: str = "default"
    temporal_ui_url: str = "http://127.0.0.1:8233"
    public_url: str = "http://127.0.0.1:8080"
    """Where customers and providers reach the API; signatures and links are computed on it, never on the Host header."""
    master_key: str = ""
    """Base64 of 32 bytes: wraps the persons' keys and seals secrets. Losing it loses the personal data."""
    clock: str = "real"
    """`real` or `ledger` (played time; refused unless PUNTUAL_DEMO is 1)."""
    demo: str = ""
    metrics_address: str = ""
    sendgrid_api_key: str = ""
    """With it e-mails go by SendGrid; without it by SMTP where that has an address, else no e-mail goes."""
    sendgrid_base_url: str = "https://api.sendgrid.com"
    sendgrid_webhook_key: str = ""
    """Base64 of the public key with which SendGrid signs its events."""
    smtp_url: str = ""
    """A relay or a mail catcher: smtp://host:25, smtps://user:password@host:465; it tells no receipts and no bounces."""
    sender_email: str = "cobros@puntual.example"
    twilio_account_sid: str = ""
    """With it, its token and a number SMS go by Twilio; without it no SMS goes."""
    twilio_auth_token: str = ""
    twilio_base_url: str = "https://api.twilio.com"
    twilio_from: str = ""
    carrier_url: str = ""
    """Base address of the plain carrier for WhatsApp, voice and letters."""
    carrier_secret: str = ""
    """Standard Webhooks secret (whsec_...) with which the plain carrier signs its receipts and replies."""
    channel_rates: str = ""
    """The most messages a second that each provider takes, over all workers: `email=50 sms=10`; no limit where none is named."""
    simulator_url: str = ""

    @classmethod
    def from_environment(cls) -> Self:
        """Read PUNTUAL_*; an unknown PUNTUAL_ name raises ValueError, so that a misspelt setting is not silently ignored."""
        known = {f"PUNTUAL_{f.name.upper()}": f.name for f in fields(cls)}
        given = {name: value for name, value in os.environ.items() if name.startswith("PUNTUAL_")}
        unknown = sorted(set(given) - set(known) - set(NO_SETTINGS))
        if unknown:
            raise ValueError(f"unknown settings {', '.join(unknown)}: the known ones are {', '.join(sorted(known))}")
        settings = cls(**{known[name]: value for name, value in given.items() if name in known})
        if settings.clock not in ("real", "ledger"):
            raise ValueError(f"PUNTUAL_CLOCK is {settings.clock!r}: use real or ledger")
        if settings.clock == "ledger" and settings.demo != "1":
            raise ValueError("PUNTUAL_CLOCK=ledger plays with time and is refused unless PUNTUAL_DEMO=1")
        return settings
