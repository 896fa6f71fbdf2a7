"""A mail server that speaks real SMTP, keeps what it gets, and refuses, hangs up or falls silent where a test wants it."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Place = Literal["mail", "rcpt", "data", "begun", "taken"]
"""Where the talk stands: the sender's address, the customer's, before the message, within it, after it."""
HANG_UP, FALL_SILENT = "hang up", "fall silent"
USER, PASSWORD = "puntual", "p@ss/word"


@dataclass
class PostOffice:
    """What came, and what is said instead of a friendly answer, by place; HANG_UP and FALL_SILENT are said too."""

    says: dict[Place, str] = field(default_factory=dict)
    got: list[Envelope] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    """Passwords."""
    port: int = 0
    scheme: str = "smtp"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def url_signed_in(self) -> str:
        return f"{self.scheme}://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{self.port}"

    @property
    def messages(self) -> list[EmailMessage]:
        """What came, read again."""
        return [message_from_bytes(one.content, policy=policy.default) for one in self.got if isinstance(one.content, bytes)]

    def forget(self) -> None:
        """As if it had just opened."""
        self.says.clear()
        self.got.clear()
        self.encrypted.clear()
        self.heard.clear()

    async def answer(self, server: SMTP, place: Place) -> str | None:
        """What the script says here; None for a friendly answer."""
        said = self.says.get(place)
        if said == HANG_UP:
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
            return "421 gone"
        if said == FALL_SILENT:
            await asyncio.Event().wait()
        return said

    def sign_in(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: Any) -> AuthResult:
        """Whether it is who it says."""
        assert isinstance(given, LoginPassword)
        self.heard.append(given.password.decode())
        return AuthResult(success=(given.login, given.password) == (USER.encode(), PASSWORD.encode()), handled=False)

    async def handle_MAIL(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:
        said = await self.answer(server, "mail")
        envelope.mail_from = address
        return said or "250 2.1.0 Ok"

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:
        said = await self.answer(server, "rcpt")
        if said is None:
            envelope.rcpt_tos.append(address)
        return said or "250 2.1.5 Ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        said = await self.answer(server, "taken")
        if said is None:
            self.got.append(envelope)
            assert server.transport is not None
            self.encrypted.append(server.transport.get_extra_info("ssl_object") is not None)
        return said or "250 2.0.0 Ok: queued as 7A2"


class _Clerk(SMTP):
    async def smtp_DATA(self, arg: str) -> None:
        said = await self.event_handler.answer(self, "data")
        if "begun" in self.event_handler.says:
            await self.push("354 go on")
            await self.event_handler.answer(self, "begun")
        elif said is None:
            await super().smtp_DATA(arg)
        else:
            await self.push(said)


@contextmanager
def post_office(*, tls: ssl.SSLContext | None = None, from_start: bool = False, names: bool = False) -> Iterator[PostOffice]:
    """An open one. `tls`: offered by STARTTLS, or spoken `from_start`; `names`: it wants to know who."""
    office = PostOffice(scheme="smtps" if from_start else "smtp")
    options: dict[str, Any] = {}
    if names:  # over a plain connection it is only offered
        options = {"auth_required": tls is not None, "auth_require_tls": tls is not None, "authenticator": office.sign_in}
    if tls is not None and not from_start:
        options["tls_context"] = tls
    loop, opened = asyncio.new_event_loop(), threading.Event()

    def clerk() -> SMTP:
        return _Clerk(office, hostname="post.example", loop=loop, **options)

    async def serve() -> None:
        server = await loop.create_server(clerk, "127.0.0.1", 0, ssl=tls if from_start else None)
        office.port = server.sockets[0].getsockname()[1]
        opened.set()

    def run() -> None:
        loop.run_until_complete(serve())
        loop.run_forever()
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left))
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert opened.wait(20), "the post office did not open"
    try:
        yield office
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(20)


def certificate(folder: Path, now: datetime) -> tuple[Path, ssl.SSLContext]:
    """A certificate of 127.0.0.1 signed by itself: the file that makes it trusted, and a server's context with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "post office")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now.astimezone(UTC) - timedelta(hours=1))
        .not_valid_after(now.astimezone(UTC) + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    trusted, whole = folder / "trusted.pem", folder / "whole.pem"
    trusted.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    whole.write_bytes(secret + trusted.read_bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(whole)
    return trusted, context
