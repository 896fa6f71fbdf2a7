"""The outside world: one page per provider, each with its send, its status table, its readers and its signature check.

No provider's name appears outside this package. Readers and checks take `now`; nothing here reads what time it is, or a database.
"""

from __future__ import annotations

from channels.shapes import (
    Accepted,
    Attachment,
    BadSignature,
    ChannelsConfig,
    Keyword,
    OutcomeUnknown,
    Outgoing,
    Receipt,
    ReceiptStatus,
    Reply,
    Sender,
    SendFailed,
    TryLater,
    Undeliverable,
)
from policies.terms import Channel

__all__ = [
    "Accepted",
    "Attachment",
    "BadSignature",
    "ChannelsConfig",
    "Keyword",
    "OutcomeUnknown",
    "Outgoing",
    "Receipt",
    "ReceiptStatus",
    "Reply",
    "SendFailed",
    "Sender",
    "TryLater",
    "Undeliverable",
    "build_senders",
]


def build_senders(config: ChannelsConfig) -> dict[Channel, Sender]:
    """A sender for each channel that is configured. A channel without its settings is absent, so nothing pretends to send.

    Raises ValueError naming the setting when a provider is half configured.
    """
    # The SDKs are slow to import and only a worker sends, so the API that only reads receipts does not pay for them.
    from channels.carrier import CarrierSender
    from channels.email_sendgrid import SendGridSender
    from channels.email_smtp import SmtpSender
    from channels.sms_twilio import TwilioSender

    senders: dict[Channel, Sender] = {}
    if config.sendgrid_api_key:
        senders[Channel.EMAIL] = SendGridSender(config)
    elif config.smtp_url:
        senders[Channel.EMAIL] = SmtpSender(config)
    if config.twilio_account_sid or config.twilio_auth_token or config.twilio_from:
        senders[Channel.SMS] = TwilioSender(config)
    if config.carrier_url:
        for channel in (Channel.WHATSAPP, Channel.VOICE, Channel.LETTER):
            senders[channel] = CarrierSender(config, channel)
    return senders
