"""What goes out to a customer and what comes back, in the same words for every provider."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, Protocol

from policies.terms import Channel

Keyword = Literal["stop", "start", "paid", "wrong_number", "not_me", "yes", "no", "none"]
"""`yes`, `no` and `not_me` answer the question whose telephone it is; after another message `yes` and `no` mean nothing plain."""
ReceiptStatus = Literal["accepted", "delivered", "failed"]


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with a message. `name` is shown to the customer and holds no personal data."""

    name: str
    media_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message ready for its provider. Personal fields stay out of its repr, so a log or a traceback cannot show them."""

    contact_id: str
    """Travels with the message, so that a receipt finds its contact again."""
    to: str = field(repr=False)
    """An e-mail address, a phone number in E.164, or a postal address on several lines."""
    sender_name: str
    subject: str = field(repr=False)
    text: str = field(repr=False)
    html: str = field(repr=False)
    language: str
    status_url: str = ""
    """Public address for this contact's receipts, where the provider takes one per message."""
    stop_url: str = field(default="", repr=False)
    """Where one request without a page stops further messages (RFC 8058)."""
    reply_to: str = field(default="", repr=False)
    category: str = ""
    """A rung or template name, for the provider's own statistics; never personal data."""
    attachments: tuple[Attachment, ...] = ()
    """On e-mails and letters only."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider took the message. `provider_ref` is its own id, empty when it gave none."""

    provider_ref: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the provider later says about a contact. `event_id` is the same when it says it again."""

    contact_id: str
    status: ReceiptStatus
    permanent: bool
    """True when the address will never work: it is retired, not only passed over."""
    reason: str
    """A stable word and the provider's code; never personal data."""
    at: datetime
    event_id: str
    provider_ref: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What a customer sent back. `contact_id` is empty unless the provider ties the reply to one message."""

    from_address: str = field(repr=False)
    channel: Channel
    text: str = field(repr=False)
    keyword: Keyword
    event_id: str
    at: datetime
    contact_id: str = ""


class SendFailed(Exception):
    """A message did not surely go out. `reason` is a stable word and the provider's code; never personal data."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Undeliverable(SendFailed):
    """It was refused for good: never retried. `retire_address` says that the address itself is at fault."""

    def __init__(self, reason: str, retire_address: bool, opted_out: bool = False) -> None:
        super().__init__(reason)
        self.retire_address = retire_address
        self.opted_out = opted_out
        """The provider keeps a stop of this person: it is to be recorded as ours."""

    def __reduce__(self) -> tuple[type[Undeliverable], tuple[str, bool, bool]]:
        return type(self), (self.reason, self.retire_address, self.opted_out)


class TryLater(SendFailed):
    """It surely was not sent and may be tried again `after` that long."""

    def __init__(self, after: timedelta, reason: str) -> None:
        super().__init__(reason)
        self.after = after

    def __reduce__(self) -> tuple[type[TryLater], tuple[timedelta, str]]:
        return type(self), (self.after, self.reason)


class OutcomeUnknown(SendFailed):
    """It may have been sent: never repeated blindly, a later receipt settles it (I2)."""


class BadSignature(Exception):
    """A webhook is not from whom it says. The message says what was wrong, for the log; it never quotes the body."""


class Sender(Protocol):
    """One provider of one channel. Instances are shared by threads."""

    channel: Channel
    provider: str

    def send(self, outgoing: Outgoing) -> Accepted:
        """Hand one message over; raises Undeliverable, TryLater or OutcomeUnknown, and nothing else for a provider's doing."""
        ...


@dataclass(frozen=True, slots=True)
class ChannelsConfig:
    """What the senders need, given by whoever builds them. Secrets stay out of the repr."""

    sendgrid_api_key: str = field(default="", repr=False)
    sendgrid_base_url: str = "https://api.sendgrid.com"
    sender_email: str = ""
    twilio_account_sid: str = ""
    twilio_auth_token: str = field(default="", repr=False)
    twilio_base_url: str = "https://api.twilio.com"
    twilio_from: str = ""
    smtp_url: str = field(default="", repr=False)
    """A mail server for e-mails where SendGrid has no key: smtp://host:25, smtps://user:password@host:465."""
    wall_now: Callable[[], datetime] | None = field(default=None, repr=False)
    """The machine's time, for the Date of an e-mail by SMTP."""
    carrier_url: str = ""
    """Base address of the plain carrier; without it WhatsApp, voice and letters have no sender."""
    timeout_seconds: float = 10.0
