"""E-mails by SMTP through the real activities: what arrives is what the ledger says went; a dead address is not asked twice."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace

import pytest

from activities.collector import Collector
from channels import ChannelsConfig, build_senders
from tests import cast
from tests.activities.house import House
from tests.channels.post_office import HANG_UP, PostOffice, post_office

PDF = b"%PDF-1.4 the invoice"


@pytest.fixture
def office() -> Iterator[PostOffice]:
    with post_office() as opened:
        yield opened


@pytest.fixture
def by_smtp(house: House, office: PostOffice) -> House:
    """The house, its e-mails by SMTP and all else as before."""
    senders = build_senders(ChannelsConfig(smtp_url=office.url, sender_email="cobros@brill.example", timeout_seconds=3.0))
    tools = replace(house.tools, senders={**house.tools.senders, **senders})
    return replace(house, tools=tools, collector=Collector(tools))


def test_a_reminder_arrives_with_its_document_its_link_and_its_stop(by_smtp: House, office: PostOffice) -> None:
    invoice = by_smtp.owes(documents=[{"kind": "pdf", "content_base64": base64.b64encode(PDF).decode()}])
    by_smtp.at("2026-03-13 10:00")
    by_smtp.contact(invoice)
    [row] = by_smtp.rows("select id, state, provider, provider_ref from contact where state <> 'planned'")
    assert (row.state, row.provider, row.provider_ref) == ("accepted", "smtp", f"<{row.id}@brill.example>")
    [mail] = office.messages
    assert office.got[0].rcpt_tos == [cast.ANA_EMAIL] and mail["X-Puntual-Contact"] == str(row.id)
    page = mail.get_body(("html",))
    assert page is not None and "F-1001" in page.get_content() and "https://pay.example/p/" in page.get_content()
    assert mail["List-Unsubscribe"].startswith("<https://pay.example/p/")
    assert [part.get_payload(decode=True) for part in mail.iter_attachments()] == [PDF]


def test_an_address_that_the_server_does_not_know_is_retired_and_the_next_channel_is_tried(
    by_smtp: House, office: PostOffice
) -> None:
    invoice = by_smtp.owes()
    office.says["rcpt"] = "550 5.1.1 unknown"
    by_smtp.at("2026-03-13 10:00")
    by_smtp.contact(invoice)
    by_smtp.contact(invoice)
    assert [(channel, state) for _, channel, state in by_smtp.contacts(invoice)] == [("email", "failed"), ("sms", "accepted")]
    assert by_smtp.rows("select retired_at is not null as gone from address where channel = 'email'")[0].gone


def test_a_connection_that_breaks_with_the_message_is_an_unknown_outcome_and_not_sent_again(
    by_smtp: House, office: PostOffice
) -> None:
    invoice = by_smtp.owes()
    office.says["taken"] = HANG_UP
    by_smtp.at("2026-03-13 10:00")
    by_smtp.contact(invoice)
    office.forget()
    by_smtp.contact(invoice)
    assert [(channel, state) for _, channel, state in by_smtp.contacts(invoice)] == [("email", "unknown")]
    assert office.got == []
