"""A customer with a browser: opens the link in the message, finds the form, fills it in and sends it.

It knows the page only as a person does: which form is about promising, paying by parts, disputing or having paid, by where the
form goes or what its button says, and which field wants a date, a sum or a number of parts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
from babel.numbers import get_currency_precision

_PURPOSES: dict[str, re.Pattern[str]] = {
    "promise": re.compile(r"promis|extension|promes"),
    "plan": re.compile(r"plan|instalment|installment|cuotas|parcel"),
    "dispute": re.compile(r"disput|reclam|desacuerdo|contest"),
    "paid": re.compile(r"already|paid|ya-pag|ja-pag"),
    "stop": re.compile(r"stop|unsubscribe|baja|sair|opt"),
}


@dataclass
class Form:
    """One form of a page; `fields` are name -> value as shown, `kinds` name -> input type, `choices` the options of a select."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    choices: dict[str, list[str]] = field(default_factory=dict)

    def is_about(self, purpose: str) -> bool:
        """Whether the form's address, or a hidden field or button, speaks of the purpose."""
        said = [urlsplit(self.action).path.rstrip("/").rsplit("/", 1)[-1]]
        said += [value for name, value in self.fields.items() if self.kinds.get(name) in ("hidden", "submit")]
        return any(_PURPOSES[purpose].search(text.casefold()) for text in said)


class _FormReader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(given.get("action", "")))
        if not self.forms:
            return
        form, name = self.forms[-1], given.get("name", "")
        if tag == "option" and self._select:
            form.choices[self._select].append(given.get("value", ""))
            if "selected" in given or not form.fields.get(self._select):
                form.fields[self._select] = given.get("value", "")
        elif not name:
            return
        elif tag == "select":
            self._select, form.kinds[name], form.choices[name] = name, "select", []
        elif tag in ("input", "textarea", "button"):
            self._input(
                form, name, "textarea" if tag == "textarea" else given.get("type", "submit" if tag == "button" else "text"), given
            )

    def _input(self, form: Form, name: str, kind: str, given: dict[str, str]) -> None:
        value = given.get("value", "")
        if kind == "radio":
            form.choices.setdefault(name, []).append(value)
            if name in form.fields and "checked" not in given:
                return
        if kind == "checkbox" and not value:
            value = "on"
        form.fields[name], form.kinds[name] = value, kind

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = ""


def read_forms(page: str) -> list[Form]:
    """The forms of a page."""
    reader = _FormReader()
    reader.feed(page)
    return reader.forms


@dataclass(frozen=True)
class Answered:
    """What came of it: `done`, `refused` (the page said no), `no_form`, `no_page`; and the page that was shown."""

    outcome: str
    status: int = 0
    page: str = ""


async def answer(http: httpx.AsyncClient, link: str, purpose: str, values: dict[str, Any], currency: str) -> Answered:
    """Open `link`, fill in the form for `purpose` and send it."""
    try:
        shown = await http.get(link, follow_redirects=True)
        if not shown.is_success:
            return Answered("no_page", shown.status_code, shown.text)
        form = next((form for form in read_forms(shown.text) if form.is_about(purpose)), None)
        if form is None:
            return Answered("no_form", shown.status_code, shown.text)
        fill_in(form, values, currency)
        said = await http.post(urljoin(str(shown.url), form.action or str(shown.url)), data=form.fields, follow_redirects=True)
    except httpx.HTTPError:
        return Answered("no_page")
    return Answered("done" if said.is_success else "refused", said.status_code, said.text)


async def stop(http: httpx.AsyncClient, link: str) -> Answered:
    """One click on "stop", as a mail program does it (RFC 8058)."""
    try:
        said = await http.post(link, data={"List-Unsubscribe": "One-Click"}, follow_redirects=True)
    except httpx.HTTPError:
        return Answered("no_page")
    return Answered("done" if said.is_success else "refused", said.status_code, said.text)


def fill_in(form: Form, values: dict[str, Any], currency: str) -> None:
    """Put what the customer wants into the fields that ask for it; what nobody asks stays unsaid."""
    day = values.get("on") or values.get("paid_on")
    for name, kind in form.kinds.items():
        if kind in ("hidden", "submit"):
            continue
        asked = name.casefold()
        if day and (kind == "date" or re.search(r"(^|_)(on|date|day|fecha|data)$", asked)):
            form.fields[name] = str(day)
        elif "instalments" in values and re.search(r"instal|parts|count|number|cuotas|parcelas", asked):
            form.fields[name] = _nearest(str(values["instalments"]), form.choices.get(name, []))
        elif "amount_minor" in values and asked.endswith("_minor"):
            form.fields[name] = str(values["amount_minor"])
        elif "amount_minor" in values and re.search(r"amount|monto|valor|importe", asked):
            form.fields[name] = major_units(int(values["amount_minor"]), currency)
        elif kind in ("textarea", "text") and re.search(r"reason|why|motivo|text|note|detail", asked):
            form.fields[name] = "No reconozco este cobro"


def _nearest(wanted: str, choices: list[str]) -> str:
    """The wanted number, or the greatest offered one below it, or the first."""
    offered = sorted(int(choice) for choice in choices if choice.isdigit())
    if not offered or int(wanted) in offered:
        return wanted
    return str(next((n for n in reversed(offered) if n < int(wanted)), offered[0]))


def major_units(amount_minor: int, currency: str) -> str:
    """12345 EUR as 123.45, 12345 CLP as 12345."""
    return f"{Decimal(amount_minor).scaleb(-get_currency_precision(currency)):f}"


def dates_after(first: date, count: int, days: int = 30) -> list[date]:
    """`count` dates from `first`, so many days apart."""
    return [date.fromordinal(first.toordinal() + days * n) for n in range(count)]
