"""One sheet for each manual: a message in every language and register, as a customer sees it."""

from __future__ import annotations

import html
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Final

from messages.lint import lint
from messages.render import render
from messages.values import Line, MessageValues
from policies.manual import builtin_manual
from policies.terms import Channel
from tests.browser.browser import Browser

SHOWN: Final = {
    "b2c_subscription": (("S3", Channel.WHATSAPP), ("S8", Channel.WHATSAPP)),
    "b2c_credit": (("C7", Channel.EMAIL),),
    "b2b_sme": (("B5", Channel.EMAIL),),
    "b2b_corporate": (("K4", Channel.EMAIL),),
}
"""By manual, the rungs whose messages are shown, each by one of its channels."""
SPEAKERS: Final = (
    ("es", "tu", "MX", "MXN"), ("es", "usted", "CO", "COP"), ("es", "vos", "AR", "ARS"), ("pt", "voce", "BR", "BRL"),
    ("en", "none", "US", "USD"),
)  # fmt: skip
_NAMED: Final = {"tu": "tú", "voce": "você", "none": "English"}
_PER_DOLLAR: Final = {"MXN": 20, "COP": 4000, "ARS": 1500, "BRL": 5, "USD": 1}
_TEAMS: Final = {"BR": "Lucía Prado, equipe de contas", "US": "Lucía Prado, accounts team"}
_PAGE: Final = """<!doctype html><meta charset="utf-8"><style>
body{{margin:0;padding:18px;background:#e9edf1;font:14px/1.4 system-ui,sans-serif;color:#1c2733;width:1784px}}
h1{{font-size:18px;margin:0 0 12px}} main{{display:grid;grid-template-columns:repeat(5,1fr);gap:14px}}
h2{{font-size:14px;margin:0 0 6px}}
.mail{{background:#fff;border:1px solid #cdd5dd;border-radius:6px;overflow:hidden}}
section>div{{margin-bottom:12px}}
.subject{{padding:8px 12px;border-bottom:1px solid #e3e8ed;font-weight:600}} iframe{{border:0;width:100%;display:block}}
.chat{{background:#dff3d8;border-radius:8px;padding:10px 12px;white-space:pre-wrap;overflow-wrap:anywhere}}
</style><h1>{title}</h1><main>{columns}</main>"""


def values(country: str, currency: str, *, business: bool) -> MessageValues:
    """The same debt in each country: about 90 dollars of a person, about 4,200 of a company on three invoices."""
    lines = ((1042, 20, 1_200), (1051, 28, 1_350), (1066, 31, 1_650)) if business else ((1042, 20, 90),)
    debts = tuple(
        Line(invoice_number=f"F-{number}", due_on=date(2026, 5, day), amount_minor=dollars * 100 * _PER_DOLLAR[currency])
        for number, day, dollars in lines
    )
    return MessageValues(
        creditor_name="Brío Servicios S.A.", creditor_short="Brío", team=_TEAMS.get(country, "Lucía Prado, equipo de cuentas"),
        country=country, invoice_number="F-1042", due_on=date(2026, 5, 20), issued_on=date(2026, 4, 20), today=date(2026, 6, 8),
        amount_minor=debts[0].amount_minor, currency=currency, salutation="Almacenes Lar" if business else "Ana",
        lines=debts if business else (), amount_total_minor=sum(d.amount_minor for d in debts), reply_to="cuentas@brio.example",
        pay_url="https://pagos.brio.example/p/AbCdEfGhIj", answer_url="https://pagos.brio.example/p/AbCdEfGhIj/r",
        stop_url="https://pagos.brio.example/p/AbCdEfGhIj/b", check_url="https://brio.example/mensajes",
        action_on=date(2026, 7, 6),
    )  # fmt: skip


def page(manual_name: str) -> str:
    """The sheet of a manual as HTML; every message on it has passed the linter."""
    manual, columns = builtin_manual(manual_name), []
    business = manual_name.startswith("b2b")
    for language, register, country, currency in SPEAKERS:
        column = [f"<section><h2>{country} · {_NAMED.get(register, register)}</h2>"]
        for rung_id, channel in SHOWN[manual_name]:
            rung = manual.rung(rung_id)
            given = replace(values(country, currency, business=business), offer=rung.offer)
            message = render(rung.template, channel=channel, language=language, register=register, values=given)
            assert lint(message, channel, language, rung.template, values=given) == [], (manual_name, rung_id, language, register)
            column.append(_mail(message.subject, message.html) if channel is Channel.EMAIL else _chat(message.text))
        columns.append("".join(column) + "</section>")
    return _PAGE.format(title=f"{manual_name}: {', '.join(rung for rung, _ in SHOWN[manual_name])}", columns="".join(columns))


def _mail(subject: str, body: str) -> str:
    grow = "this.style.height=this.contentDocument.documentElement.scrollHeight+'px'"
    frame = f'<iframe srcdoc="{html.escape(body)}" onload="{grow}"></iframe>'
    return f'<div class="mail"><div class="subject">{html.escape(subject)}</div>{frame}</div>'


def _chat(text: str) -> str:
    return f'<div class="chat">{html.escape(text)}</div>'


def take(browser: Browser, folder: Path) -> Iterator[Path]:
    """Write messages/<manual>.png for each manual."""
    (folder / "messages").mkdir(exist_ok=True)
    for name in SHOWN:
        with tempfile.NamedTemporaryFile("w", suffix=".html", encoding="utf-8") as file:
            file.write(page(name))
            file.flush()
            browser.size(1820, 600, scale=0.66)
            browser.open(f"file://{file.name}")
            browser.screenshot(folder / "messages" / f"{name}.png", full=True)
        yield folder / "messages" / f"{name}.png"
