"""E-mail by SMTP against a real server: what is handed over, what each answer means, and what is not known afterwards."""

from __future__ import annotations

import logging
import smtplib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from channels import Attachment, ChannelsConfig, OutcomeUnknown, Outgoing, SendFailed, TryLater, Undeliverable, build_senders
from channels.email_sendgrid import SendGridSender
from channels.email_smtp import Relay, SmtpSender, read_relay
from clock import wall_now
from policies.terms import Channel
from tests.channels.outside import free_address, to_ana
from tests.channels.post_office import FALL_SILENT, HANG_UP, Place, PostOffice, certificate, post_office

SENT_AT = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def opened() -> Iterator[PostOffice]:
    with post_office() as office:
        yield office


@pytest.fixture
def office(opened: PostOffice) -> PostOffice:
    opened.forget()
    return opened


def config_for(url: str, *, timeout_seconds: float = 10.0) -> ChannelsConfig:
    return ChannelsConfig(
        smtp_url=url, sender_email="cobros@puntual.example", wall_now=lambda: SENT_AT, timeout_seconds=timeout_seconds
    )


def outcome(url: str, outgoing: Outgoing | None = None, *, timeout_seconds: float = 10.0) -> SendFailed:
    with pytest.raises(SendFailed) as caught:
        SmtpSender(config_for(url, timeout_seconds=timeout_seconds)).send(outgoing or to_ana("c-1"))
    assert caught.value.__cause__ is None
    return caught.value


def test_a_message_arrives_as_it_was_written(office: PostOffice) -> None:
    files = (
        Attachment("F-100.pdf", "application/pdf", b"%PDF-1.4\r\n.\r\n\x00\xff"),
        Attachment("F-100.xml", "text/xml", "<factura>ñ</factura>".encode()),
    )
    going = replace(to_ana("c-9"), attachments=files, sender_name="Luz & Compañía, S.A.", text="Hola Ana\n.\n.. fin\n")
    accepted = SmtpSender(config_for(office.url)).send(going)
    [envelope], [mail] = office.got, office.messages
    assert (envelope.mail_from, envelope.rcpt_tos) == ("cobros@puntual.example", ["ana.rojas@cliente.example"])
    assert (mail["To"], mail["Subject"], mail["Reply-To"]) == (going.to, going.subject, going.reply_to)
    [sender] = mail["From"].addresses
    assert (sender.display_name, sender.addr_spec) == (going.sender_name, "cobros@puntual.example")
    assert mail["Date"].datetime == SENT_AT
    assert mail["Message-ID"] == accepted.provider_ref == "<c-9@puntual.example>"
    assert mail["X-Puntual-Contact"] == "c-9"
    plain, page = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None and plain.get_content().splitlines() == going.text.splitlines()
    assert page is not None and page.get_content().rstrip() == going.html
    got = [(part.get_filename(), part.get_content_type(), part.get_payload(decode=True)) for part in mail.iter_attachments()]
    assert got == [(file.name, file.media_type, file.content) for file in files]
    assert isinstance(envelope.content, bytes) and envelope.content.isascii(), "seven bits pass everywhere"


def test_the_one_click_stop_stays_whole_however_long_it_is(office: PostOffice) -> None:
    stop = f"https://pagos.example/p/{'x' * 90}/stop"
    SmtpSender(config_for(office.url)).send(replace(to_ana(), stop_url=stop))
    written = office.got[0].content
    assert isinstance(written, bytes) and f"\r\nList-Unsubscribe: <{stop}>\r\n".encode() in written
    assert b"\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in written
    SmtpSender(config_for(office.url)).send(replace(to_ana(), stop_url="", reply_to="", html=""))
    bare = office.messages[1]
    assert (bare["List-Unsubscribe"], bare["Reply-To"], bare.get_content_type()) == (None, None, "text/plain")


ANSWERS: list[tuple[Place, str, type[SendFailed], bool | None, str]] = [
    ("rcpt", "550 5.1.1 <ana.rojas@cliente.example> unknown", Undeliverable, True, "invalid_address: smtp 550 5.1.1"),
    ("rcpt", "553 5.1.3 bad syntax", Undeliverable, True, "invalid_address: smtp 553 5.1.3"),
    ("rcpt", "553 sorry, no such host (#5.1.2)", Undeliverable, True, "invalid_address: smtp 553 5.1.2"),
    ("rcpt", "550 no", Undeliverable, False, "refused: smtp 550"),
    ("rcpt", "554 5.7.1 relay access denied", Undeliverable, False, "refused: smtp 554 5.7.1"),
    ("rcpt", "550 5.1.8 sender's domain does not exist", Undeliverable, False, "refused: smtp 550 5.1.8"),
    ("rcpt", "552 5.2.2 mailbox full", Undeliverable, False, "refused: smtp 552 5.2.2"),
    ("rcpt", "450 4.2.0 greylisted", TryLater, None, "busy: smtp 450 4.2.0"),
    ("rcpt", "530 5.7.0 sign in first", TryLater, None, "configuration: smtp 530 5.7.0; it wants a name and a password"),
    ("rcpt", HANG_UP, TryLater, None, "unreachable: smtp SMTPServerDisconnected"),
    ("mail", "421 4.3.2 closing", TryLater, None, "busy: smtp 421 4.3.2"),
    ("mail", "552 5.3.4 too large", Undeliverable, False, "too_large: smtp 552 5.3.4"),
    ("mail", "553 5.7.1 not yours", TryLater, None, "configuration: smtp 553 5.7.1; check the sender's address"),
    ("data", "451 4.3.0 later", TryLater, None, "busy: smtp 451 4.3.0"),
    ("data", "554 5.5.1 no", Undeliverable, False, "refused: smtp 554 5.5.1"),
    ("data", HANG_UP, TryLater, None, "unreachable: smtp SMTPServerDisconnected"),
    ("data", "250 what?", TryLater, None, "busy: smtp 250"),
    ("taken", "452 4.3.1 no room", TryLater, None, "busy: smtp 452 4.3.1"),
    ("taken", "554 5.7.1 looks like spam", Undeliverable, False, "refused: smtp 554 5.7.1"),
    ("taken", "552 5.3.4 too large", Undeliverable, False, "too_large: smtp 552 5.3.4"),
    ("taken", "550 5.1.1 said too late", Undeliverable, False, "refused: smtp 550 5.1.1"),
    ("taken", "what?", OutcomeUnknown, None, "unreadable_answer: smtp"),
    ("taken", HANG_UP, OutcomeUnknown, None, "connection_lost: smtp SMTPServerDisconnected"),
]


@pytest.mark.parametrize(("place", "answer", "kind", "retire", "reason"), ANSWERS, ids=lambda each: str(each))
def test_the_table_of_answers(
    office: PostOffice, place: Place, answer: str, kind: type[SendFailed], retire: bool | None, reason: str
) -> None:
    office.says[place] = answer
    failure = outcome(office.url)
    assert (type(failure), failure.reason, getattr(failure, "retire_address", None)) == (kind, reason, retire)
    assert office.got == []


@pytest.mark.parametrize(
    ("place", "kind"), [("rcpt", TryLater), ("data", TryLater), ("begun", OutcomeUnknown), ("taken", OutcomeUnknown)]
)
def test_silence_is_unknown_only_after_the_message_was_begun(office: PostOffice, place: Place, kind: type[SendFailed]) -> None:
    office.says[place] = FALL_SILENT
    assert type(outcome(office.url, timeout_seconds=0.2)) is kind


def test_a_connection_that_breaks_within_the_message_leaves_an_unknown_outcome(office: PostOffice) -> None:
    office.says["begun"] = HANG_UP
    assert isinstance(outcome(office.url), OutcomeUnknown) and office.got == []


@pytest.mark.parametrize(("slow_until", "kind"), [("MAIL", TryLater), ("DATA", TryLater), (".", OutcomeUnknown)])
def test_many_slow_answers_come_to_an_end_before_the_activity_does(
    office: PostOffice, monkeypatch: pytest.MonkeyPatch, slow_until: str, kind: type[SendFailed]
) -> None:
    """The last answer but one comes in time, and then the time for all of them is over."""
    passed = [0.0]
    send = smtplib.SMTP.send

    def slow(talk: smtplib.SMTP, words: Any) -> None:
        said = words if isinstance(words, str) else words.decode()
        passed[0] += 15.0 if said.upper().startswith(slow_until) or (slow_until == "." and said.endswith("\r\n.\r\n")) else 0.1
        send(talk, words)

    monkeypatch.setattr(smtplib.SMTP, "send", slow)
    monkeypatch.setattr("channels.email_smtp.monotonic", lambda: passed[0])
    assert isinstance(outcome(office.url), kind)


def test_nobody_at_the_address_is_surely_not_sent() -> None:
    failure = outcome(free_address().replace("http", "smtp"))
    assert isinstance(failure, TryLater) and failure.after == timedelta(minutes=1)
    assert failure.reason == "unreachable: smtp ConnectionRefusedError"


@pytest.mark.parametrize(
    "to", ["nobody", "ana@x.example\r\nRCPT TO:<eva@x.example>", "ana@x.example, eva@x.example", "añá@x.example"]
)
def test_what_is_no_address_is_retired_and_nobody_gets_it(office: PostOffice, to: str) -> None:
    failure = outcome(office.url, replace(to_ana(), to=to))
    assert isinstance(failure, Undeliverable) and failure.retire_address
    assert office.got == []


def test_a_header_with_a_second_line_is_refused_and_the_address_is_not_at_fault(office: PostOffice) -> None:
    failure = outcome(office.url, replace(to_ana(), subject="Factura\r\nBcc: eva@x.example"))
    assert isinstance(failure, Undeliverable) and not failure.retire_address
    assert office.got == []


def test_an_offered_encryption_is_used_and_a_name_and_password_go_only_over_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trusted, context = certificate(tmp_path, wall_now())
    with post_office(tls=context, names=True) as careful:
        stranger = outcome(careful.url_signed_in)
        assert (type(stranger), stranger.reason) == (TryLater, "configuration: smtp's certificate is not trusted")
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        SmtpSender(config_for(careful.url_signed_in)).send(to_ana())
        assert careful.encrypted == [True]
        wrong = outcome(careful.url_signed_in.replace("ss%2F", ""))
        assert (type(wrong), wrong.reason) == (TryLater, "configuration: smtp answered 535; check the name and the password")
        assert outcome(careful.url).reason.startswith("configuration: smtp 530")
    with post_office(names=True) as careless:
        plain = outcome(careless.url_signed_in)
        assert (type(plain), plain.reason) == (TryLater, "configuration: smtp offers no encrypted way to sign in")
        assert careless.heard == []


def test_smtps_is_encrypted_from_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trusted, context = certificate(tmp_path, wall_now())
    with post_office(tls=context, from_start=True) as careful:
        assert outcome(careful.url).reason == "configuration: smtp's certificate is not trusted"
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        SmtpSender(config_for(careful.url)).send(to_ana())
        assert careful.encrypted == [True]


@pytest.mark.parametrize(
    ("url", "relay"),
    [
        ("smtp://mail:1025", Relay("mail", 1025, False)),
        ("smtp://mail", Relay("mail", 25, False)),
        ("smtp://me:a%40b@mail.example", Relay("mail.example", 587, False, "me", "a@b")),
        ("smtps://me:x@mail.example/", Relay("mail.example", 465, True, "me", "x")),
    ],
)
def test_the_address_of_a_server(url: str, relay: Relay) -> None:
    assert read_relay(url) == relay


@pytest.mark.parametrize(
    "url", ["mail:1025", "http://me:hunter2@mail", "smtp://", "smtp://mail:port", "smtp://mail/x", "smtp://mail?a=b"]
)
def test_an_address_that_is_none_is_refused_at_start_without_its_secret(url: str) -> None:
    with pytest.raises(ValueError, match="PUNTUAL_SMTP_URL") as caught:
        build_senders(config_for(url))
    assert "hunter2" not in str(caught.value) and "hunter2" not in repr(config_for(url))


@pytest.mark.parametrize(
    "sender", ["nobody", "@brill.example", "Brill <cobros@brill.example>", "cobros@añil.example", "a@b\nBcc: c@d"]
)
def test_an_address_of_ours_that_is_none_is_refused_at_start_and_no_customer_is_at_fault(sender: str) -> None:
    with pytest.raises(ValueError, match="PUNTUAL_SENDER_EMAIL is not an e-mail address"):
        build_senders(replace(config_for("smtp://mail"), sender_email=sender))


def test_sendgrid_with_its_key_comes_first() -> None:
    assert isinstance(build_senders(config_for("smtp://mail"))[Channel.EMAIL], SmtpSender)
    both = replace(config_for("smtp://mail"), sendgrid_api_key="SG.key")
    assert isinstance(build_senders(both)[Channel.EMAIL], SendGridSender)
    with pytest.raises(ValueError, match="PUNTUAL_SENDER_EMAIL"):
        build_senders(replace(config_for("smtp://mail"), sender_email=""))


def test_nothing_of_a_customer_reaches_a_log_or_an_error(office: PostOffice, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "channels")
    office.says["rcpt"] = "550 5.1.1 <ana.rojas@cliente.example>: Ana is gone"
    failure = outcome(office.url)
    assert not any(secret in f"{failure!r}{failure}{caplog.text}" for secret in ("ana.rojas", "Ana"))
