"""One message for several invoices: every text that can be shared says so in each language, and adds no currency to another."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date

import pytest

from channels import Attachment
from channels.carrier import _message
from channels.email_sendgrid import _mail
from messages.catalogue import TEMPLATES
from messages.lint import lint
from messages.render import Line, render
from messages.statement import statement_pdf
from policies.messages import ANNOUNCING, LISTING, MESSAGES, STATEMENT, bundle_of, firmness, text_for_several
from policies.terms import Channel
from tests.channels.outside import to_ana
from tests.messages.samples import ANA, SPEAKERS, TWELVE

LINES = tuple(replace(line, currency="COP") for line in TWELVE)
TWO = (LINES[0], Line(invoice_number="EX-7", due_on=date(2026, 6, 2), amount_minor=123_45, currency="USD"))
SEVERAL = {
    "two invoices": replace(ANA, several=True, lines=LINES[:2], invoice_number="FV-2000"),
    "two currencies": replace(ANA, several=True, lines=TWO, invoice_number="FV-2000"),
    "twelve": replace(ANA, several=True, lines=LINES, invoice_number="FV-2000", salutation="", first_contact=True),
    "two instalments of one": replace(ANA, several=True, lines=LINES[:1], invoice_number="FV-2000"),
}
SHARED = sorted({text_for_several([name], firmest=firm) for name in MESSAGES if bundle_of(name) for firm in (0, 1, 2)})


def test_the_messages_of_the_policies_are_the_texts() -> None:
    assert set(TEMPLATES) == MESSAGES and LISTING | ANNOUNCING < MESSAGES


@pytest.mark.parametrize("name", SHARED)
def test_every_shared_text_is_refused_by_no_rule(name: str) -> None:
    found = []
    for language, register in SPEAKERS:
        for channel in Channel:
            for sample, values in SEVERAL.items():
                message = render(name, channel=channel, language=language, register=register, values=values)
                found += [
                    f"{language} {register} {channel}, {sample}: {f}"
                    for f in lint(message, channel, language, name, values=values)
                ]
                if channel in (Channel.EMAIL, Channel.LETTER):
                    missing = [line.invoice_number for line in values.lines[:5] if line.invoice_number not in message.text]
                    found += [f"{language} {channel}, {sample}: {number} is not listed" for number in missing]
                    assert (message.whole is not None) == (len(values.lines) > 8 or name == STATEMENT)
    assert found == []


def test_sums_of_two_currencies_stand_side_by_side() -> None:
    text = render("several_overdue", channel=Channel.EMAIL, language="es", register="tu", values=SEVERAL["two currencies"]).text
    said = text.replace("\u00a0", " ")
    assert "USD.\n\nSi ya pagaste" in said, "each paragraph by itself"
    assert "En total son 100 COP y 123,45 USD." in said
    assert "Total de 1 factura: 100 COP\nTotal de 1 factura: 123,45 USD" in said and "223" not in said


def test_short_channels_say_how_many_and_how_much_and_lead_to_the_page() -> None:
    sms = render("several_overdue", channel=Channel.SMS, language="es", register="tu", values=SEVERAL["twelve"])
    assert "12 facturas" in sms.text and ANA.pay_url in sms.text and "FV-20" not in sms.text and sms.segments == 1
    chat = render("suspension_notice", channel=Channel.WHATSAPP, language="es", register="tu", values=SEVERAL["twelve"]).text
    assert "FV-2000 y 11 más" in chat.replace("\u00a0", " ")


def test_an_announcement_to_several_says_that_it_holds_for_all() -> None:
    mail = render("suspension_notice", channel=Channel.EMAIL, language="en", register="none", values=SEVERAL["twelve"])
    assert "FV-2000 and 11 more" in mail.subject and "The same holds for the 12 invoices on the list." in mail.text
    alone = render("suspension_notice", channel=Channel.EMAIL, language="en", register="none", values=ANA)
    assert "same holds" not in alone.text and alone.subject.endswith("F-1042")


@pytest.mark.parametrize(
    ("told", "text"),
    [
        ([("pre_due", False), ("instalment_reminder", False)], "several_due_soon"),
        ([("pre_due", False), ("first_reminder", False)], "several_overdue"),
        ([("first_reminder", False), ("direct_talk", True)], "several_firm"),
        ([("first_reminder", False), ("open_items", False)], "several_firm"),
        ([("open_items", False), ("open_items", False)], "open_items"),
        ([("suspension_notice", True), ("suspension_notice", True)], "suspension_notice"),
    ],
)
def test_the_firmest_rung_chooses_the_text(told: list[tuple[str, bool]], text: str) -> None:
    firmest = max(firmness(name, firm=firm) for name, firm in told)
    assert text_for_several((name for name, _ in told), firmest=firmest) == text


def test_what_speaks_of_one_agreement_or_one_person_is_never_shared() -> None:
    assert {name for name in MESSAGES if not bundle_of(name)} == {
        "promise_reminder", "missed_promise", "reopened", "instrument_returned", "paid_receipt", "apology", "holder_check",
        "guarantor_notice", "certificate_request",
    }  # fmt: skip
    assert bundle_of("suspension_notice") != bundle_of("final_balance") != bundle_of("first_reminder")


def test_the_statement_holds_every_line_and_is_the_same_bytes_again() -> None:
    values = replace(ANA, several=True, lines=tuple(replace(LINES[n % 12], invoice_number=f"FV-{n}") for n in range(90)))
    whole = render("several_overdue", channel=Channel.EMAIL, language="es", register="tu", values=values).whole
    assert whole is not None and len(whole.rows) == 90
    made = [
        statement_pdf(whole, language="es", sender="Gimnasio Andes", title="Estado de cuenta", date_line="hoy", dated=ANA.today)
        for _ in range(2)
    ]
    assert made[0] == made[1] and made[0].startswith(b"%PDF") and len(re.findall(rb"/Type\s*/Page\b", made[0])) >= 2


def test_an_attachment_goes_over_the_wire_as_each_provider_takes_it() -> None:
    out = replace(to_ana(), attachments=(Attachment("estado-de-cuenta.pdf", "application/pdf", b"%PDF-1.7"),))
    by_mail = {
        "content": "JVBERi0xLjc=",
        "filename": "estado-de-cuenta.pdf",
        "type": "application/pdf",
        "disposition": "attachment",
    }
    assert _mail(out, "cobros@brill.example")["attachments"] == [by_mail]
    assert _message(out)["attachments"] == [
        {"name": "estado-de-cuenta.pdf", "type": "application/pdf", "content": "JVBERi0xLjc="}
    ]
    assert "attachments" not in _mail(to_ana(), "cobros@brill.example") and "attachments" not in _message(to_ana())
