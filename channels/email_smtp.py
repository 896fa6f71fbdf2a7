"""E-mail by SMTP: to a mail catcher, or to a relay of one's own. What each answer means, and what is not known afterwards.

SMTP tells nothing after it took a message: there are no receipts, and a bounce goes to the sender's mailbox as a message.
Sources: RFC 5321 (replies), RFC 3463 (enhanced status codes), RFC 3207 (STARTTLS), RFC 8058 (one-click stop).
"""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime
from typing import Any
from urllib.parse import unquote, urlsplit

from channels.shapes import Accepted, ChannelsConfig, OutcomeUnknown, Outgoing, SendFailed, TryLater, Undeliverable
from clock import monotonic
from policies.terms import Channel

__all__ = ["Relay", "SmtpSender", "read_relay", "read_sender"]

PROVIDER = "smtp"
_CONFIGURATION_WAIT = timedelta(minutes=15)
_BUSY_WAIT = timedelta(minutes=1)
_BEFORE_SHARE = 1.5
"""All that comes before a message may take so many times the wait for one answer: the activity ends a little later."""
_GOODBYE_SECONDS = 1.0
_ENHANCED = re.compile(rb"(?m)(?:^|#)([245]\.\d{1,3}\.\d{1,3})(?![.\d])")
_NO_SUCH_ADDRESS = re.compile(r"5\.1\.(?!7$|8$)\d+")
"""The address is at fault (RFC 3463, 3.2); 5.1.7 and 5.1.8 speak of the sender's."""


class _Policy(EmailPolicy):
    """As SMTP has it, in seven bits; a long address of one click stays whole, where the library would encode it to break it."""

    def fold_binary(self, name: str, value: Any) -> bytes:
        if name.lower() == "list-unsubscribe":
            return f"{name}: {value}{self.linesep}".encode("ascii")
        return super().fold_binary(name, value)


_POLICY = _Policy(linesep="\r\n", cte_type="7bit", raise_on_defect=False)


@dataclass(frozen=True, slots=True)
class Relay:
    """The server that takes our mail. With `tls` the connection is encrypted from its start, else as soon as it is offered."""

    host: str
    port: int
    tls: bool
    user: str = ""
    password: str = field(default="", repr=False)


def read_relay(url: str) -> Relay:
    """Read `smtp://host:25` or `smtps://user:password@host:465`; ValueError says how to write it and repeats nothing secret."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if parts.scheme not in ("smtp", "smtps") or not host or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError(
            "PUNTUAL_SMTP_URL is not an address of a mail server: write smtp://host:25 or smtps://user:password@host:465,"
            " and what is special in a password as %40"
        )
    tls, user = parts.scheme == "smtps", unquote(parts.username or "")
    return Relay(host, port or (465 if tls else 587 if user else 25), tls, user, unquote(parts.password or ""))


def read_sender(address: str) -> Address:
    """Our own address, as it stands in each message; ValueError says what is wrong."""
    if not address:
        raise ValueError("the sender's e-mail address is not set: PUNTUAL_SENDER_EMAIL")
    try:
        read = Address(addr_spec=address)
    except (ValueError, IndexError, MessageError):
        read = Address()
    if not (read.username and read.domain and address.isascii()):
        raise ValueError("PUNTUAL_SENDER_EMAIL is not an e-mail address: write it as cobros@puntual.example, without a name")
    return read


class _Talk(smtplib.SMTP):
    """A conversation that knows whether the message was begun, and that comes to an end however slow each answer is."""

    def __init__(self, relay: Relay, name: str, waits: float, trust: ssl.SSLContext) -> None:
        self.begun, self._trust = False, trust
        self._until = monotonic() + waits * _BEFORE_SHARE
        super().__init__(relay.host, relay.port, name, timeout=waits)

    def getreply(self) -> tuple[int, bytes]:
        """One answer; 354 asks for the message, and until then nothing can have been sent."""
        left = self._until - monotonic()
        if left <= 0:
            self.close()
            raise TimeoutError
        if self.sock is not None:
            self.sock.settimeout(min(self.timeout, left))
        code, words = super().getreply()
        if code == 354:
            self.begun, self._until = True, monotonic() + self.timeout
            if self.sock is not None:
                self.sock.settimeout(self.timeout)
        return code, words

    def goodbye(self) -> None:
        """The message was taken: how the talk ends changes nothing, and nobody waits for it."""
        self._until = monotonic() + _GOODBYE_SECONDS
        with suppress(OSError, smtplib.SMTPException):
            self.quit()


class _EncryptedTalk(_Talk):
    """Encrypted before the first word."""

    default_port = smtplib.SMTP_SSL_PORT

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        plain = socket.create_connection((host, port), timeout)
        try:
            return self._trust.wrap_socket(plain, server_hostname=host)
        except BaseException:
            plain.close()
            raise


class SmtpSender:
    """Sends each message over a connection of its own; one instance serves all threads."""

    channel = Channel.EMAIL
    provider = PROVIDER

    def __init__(self, config: ChannelsConfig) -> None:
        sender = read_sender(config.sender_email)
        self._from, self._domain = sender.addr_spec, sender.domain
        self._relay = read_relay(config.smtp_url)
        self._timeout_seconds = config.timeout_seconds
        self._wall_now = config.wall_now
        self._trust = ssl.create_default_context()

    def send(self, outgoing: Outgoing) -> Accepted:
        """Accepted.provider_ref is our Message-ID, which holds the contact's id and comes back in a bounce."""
        reference = f"<{outgoing.contact_id}@{self._domain}>"
        written = self._written(outgoing, reference)
        try:
            connection = self._connect()
        except (OSError, smtplib.SMTPException) as error:
            raise _before(error) from None
        try:
            self._hand_over(connection, outgoing.to, written)
            connection.goodbye()
        finally:
            connection.close()
        return Accepted(provider_ref=reference)

    def _written(self, outgoing: Outgoing, reference: str) -> bytes:
        try:
            to = Address(addr_spec=outgoing.to)
        except (ValueError, IndexError, MessageError):
            raise Undeliverable("invalid_address: it cannot stand in a message", retire_address=True) from None
        try:
            mail = _mail(outgoing, Address(outgoing.sender_name, addr_spec=self._from), to)
            mail["Message-ID"] = reference
            if self._wall_now is not None:  # else the server writes it (RFC 6409, 8.2)
                mail["Date"] = format_datetime(self._wall_now())
            return mail.as_bytes()
        except (ValueError, IndexError, MessageError):
            raise Undeliverable("refused: a header cannot be written", retire_address=False) from None

    def _connect(self) -> _Talk:
        """A server that waits for a message: greeted, encrypted where it can be, signed in where we have a name."""
        relay = self._relay
        # Our own name is given, because looking it up may take long.
        connection = (_EncryptedTalk if relay.tls else _Talk)(relay, self._domain, self._timeout_seconds, self._trust)
        try:
            connection.ehlo_or_helo_if_needed()
            encrypted = relay.tls
            if not encrypted and connection.has_extn("starttls"):
                connection.starttls(context=self._trust)
                connection.ehlo_or_helo_if_needed()
                encrypted = True
            if relay.user:
                if not encrypted:
                    raise smtplib.SMTPNotSupportedError("a password is not sent over a connection that is not encrypted")
                connection.login(relay.user, relay.password)
        except BaseException:
            connection.close()
            raise
        return connection

    def _hand_over(self, connection: _Talk, to: str, written: bytes) -> None:
        try:
            size = [f"size={len(written)}"] if connection.has_extn("size") else []
            code, words = connection.mail(self._from, size)
            if code // 100 != 2:
                raise _refused_sender(code, words)
            code, words = connection.rcpt(to)
            if code // 100 != 2:
                raise _refused(code, words, retire=True)
        except (OSError, smtplib.SMTPException) as error:
            raise _before(error) from None
        except ValueError:  # the address holds what no command may hold
            raise Undeliverable("invalid_address: it cannot stand in a command", retire_address=True) from None
        try:
            code, words = connection.data(written)
        except smtplib.SMTPDataError as error:  # it did not want to hear it
            raise _refused(error.smtp_code, _bytes(error.smtp_error), retire=False) from None
        except (OSError, smtplib.SMTPException) as error:
            if not connection.begun:
                raise _before(error) from None
            raise OutcomeUnknown(f"connection_lost: smtp {type(error).__name__}") from None
        if code // 100 in (4, 5):
            raise _refused(code, words, retire=False)
        if code // 100 != 2:
            raise OutcomeUnknown("unreadable_answer: smtp")


def _mail(outgoing: Outgoing, sender: Address, to: Address) -> EmailMessage:
    mail = EmailMessage(policy=_POLICY)
    mail["From"], mail["To"] = sender, to
    mail["Subject"] = outgoing.subject
    mail["X-Puntual-Contact"] = outgoing.contact_id
    if outgoing.reply_to:
        mail["Reply-To"] = Address(addr_spec=outgoing.reply_to)
    if outgoing.stop_url:
        mail["List-Unsubscribe"] = f"<{outgoing.stop_url}>"
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail.set_content(outgoing.text)
    if outgoing.html:
        mail.add_alternative(outgoing.html, subtype="html")
    for file in outgoing.attachments:
        kind, _, subtype = file.media_type.partition("/")
        mail.add_attachment(file.content, kind, subtype or "octet-stream", filename=file.name)
    return mail


def _before(error: Exception) -> SendFailed:
    """What failed before the message was begun: it surely was not sent."""
    kind = type(error).__name__
    if isinstance(error, ssl.SSLCertVerificationError):
        return TryLater(_CONFIGURATION_WAIT, "configuration: smtp's certificate is not trusted")
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return TryLater(_CONFIGURATION_WAIT, "configuration: smtp offers no encrypted way to sign in")
    if isinstance(error, smtplib.SMTPResponseException):
        if error.smtp_code < 500:
            return TryLater(_BUSY_WAIT, f"busy: smtp {error.smtp_code}")
        return TryLater(_CONFIGURATION_WAIT, f"configuration: smtp answered {error.smtp_code}; check the name and the password")
    return TryLater(_BUSY_WAIT, f"unreachable: smtp {kind}")


def _refused_sender(code: int, words: bytes) -> SendFailed:
    """The server does not take this from us: too large, too much now, or not from this address."""
    said = _said(code, words)
    if code == 552:
        return Undeliverable(f"too_large: smtp {said}", retire_address=False)
    if code < 500:
        return TryLater(_BUSY_WAIT, f"busy: smtp {said}")
    return TryLater(_CONFIGURATION_WAIT, f"configuration: smtp {said}; check the sender's address")


def _refused(code: int, words: bytes, *, retire: bool) -> SendFailed:
    """An answer about the customer's address (`retire`: it may be at fault) or about the message. Its words are not kept.

    Only a server that says so by its status (5.1.x) has the address retired: a bare 550 may also mean that it relays nothing.
    """
    said = _said(code, words)
    if code < 500:
        return TryLater(_BUSY_WAIT, f"busy: smtp {said}")
    if code == 530:
        return TryLater(_CONFIGURATION_WAIT, f"configuration: smtp {said}; it wants a name and a password")
    at_fault = retire and _NO_SUCH_ADDRESS.fullmatch(said.rpartition(" ")[2]) is not None
    word = "invalid_address" if at_fault else "too_large" if code == 552 and not retire else "refused"
    return Undeliverable(f"{word}: smtp {said}", retire_address=at_fault)


def _bytes(words: bytes | str) -> bytes:
    return words if isinstance(words, bytes) else words.encode("utf-8", "replace")


def _said(code: int, words: bytes) -> str:
    """`550 5.1.1`: the words beside it may quote the address."""
    found = _ENHANCED.search(words)
    return f"{code} {found[1].decode()}" if found else str(code)
