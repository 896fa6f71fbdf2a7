"""A customer with a browser: opens the link in the message, finds the form, fills it in and sends it.

It knows the page only as a person does: which form is about promising, paying by parts, disputing or having paid, and which
field wants a date, a sum or a number of parts. What it does not care about it leaves as the page shows it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
from dateutil.relativedelta import relativedelta

from policies.money import exponent

_PURPOSES: dict[str, re.Pattern[str]] = {
    "promise": re.compile(r"promise"),
    "extension": re.compile(r"extension"),
    "plan": re.compile(r"plan|instalment"),
    "dispute": re.compile(r"dispute"),
    "paid": re.compile(r"paid"),
}


@dataclass
class Form:
    """One form of a page; `fields` are name -> value as shown, `kinds` name -> input type, `choices` the options of a select."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    choices: dict[str, list[str]] = field(default_factory=dict)

    def is_about(self, purpose: str) -> bool:
        """Whether the end of the form's address speaks of the purpose."""
        return bool(_PURPOSES[purpose].search(urlsplit(self.action).path.rstrip("/").rsplit("/", 1)[-1].casefold()))


class _PageReader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.tables: list[list[list[str]]] = []
        self._select = ""
        self._in_cell = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "table":
            self.tables.append([])
        elif tag == "tr" and self.tables:
            self.tables[-1].append([])
        elif tag == "td" and self.tables and self.tables[-1]:
            self.tables[-1][-1].append("")
            self._in_cell = True
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

    def handle_data(self, data: str) -> None:
        if self._in_cell:
            self.tables[-1][-1][-1] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = ""
        elif tag == "td":
            self._in_cell = False


def read_forms(page: str) -> list[Form]:
    """The forms of a page."""
    reader = _PageReader()
    reader.feed(page)
    return reader.forms


def read_parts(page: str, total_minor: int, currency: str) -> list[int]:
    """The sums of the table on the page that adds up to the whole, in minor units; empty when there is none."""
    reader = _PageReader()
    reader.feed(page)
    for table in reader.tables:
        sums = [_minor(row[-1], currency) for row in table if row]
        if len(sums) > 1 and sum(sums) == total_minor:
            return sums
    return []


def _minor(shown: str, currency: str) -> int:
    """A sum as it is shown to people (`$ 30.000,50`, `R$ 1,234`), in minor units; 0 when it is none."""
    digits = exponent(currency)
    figures = re.sub(r"[^0-9.,]", "", shown)
    whole = re.sub(r"[.,]", "", figures)
    if not whole:
        return 0
    return int(whole) if digits and re.search(rf"[.,][0-9]{{{digits}}}$", figures) else int(whole) * 10**digits


@dataclass(frozen=True)
class Answered:
    """What came of it: `done`, `refused` (the page said no), `no_form`, `no_page`; the fields as sent and the page then shown."""

    outcome: str
    status: int = 0
    page: str = ""
    sent: dict[str, str] = field(default_factory=dict)


async def answer(http: httpx.AsyncClient, link: str, purpose: str, values: dict[str, Any], currency: str) -> Answered:
    """Open `link`, fill in the form for `purpose` and send it. The nearest that a refusal offers is taken."""
    try:
        shown = await http.get(link, follow_redirects=True)
        if not shown.is_success:
            return Answered("no_page", shown.status_code, shown.text)
        form = _form_about(purpose, shown.text)
        if form is None:
            return Answered("no_form", shown.status_code, shown.text)
        fill_in(form, values, currency)
        said = await http.post(urljoin(str(shown.url), form.action), data=form.fields, follow_redirects=True)
        nearest = None if said.is_success else _form_about(purpose, said.text)
        if nearest is not None:
            form = nearest
            said = await http.post(urljoin(str(shown.url), form.action), data=form.fields, follow_redirects=True)
    except httpx.HTTPError:
        return Answered("no_page")
    return Answered("done" if said.is_success else "refused", said.status_code, said.text, form.fields)


def _form_about(purpose: str, page: str) -> Form | None:
    return next((form for form in read_forms(page) if form.is_about(purpose)), None)


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
        if day and kind == "date":
            form.fields[name] = str(day)
        elif "instalments" in values and asked in ("count", "instalments"):
            form.fields[name] = _nearest(str(values["instalments"]), form.choices.get(name, []))
        elif "amount_minor" in values and asked == "amount":
            form.fields[name] = major_units(int(values["amount_minor"]), currency)


def _nearest(wanted: str, choices: list[str]) -> str:
    """The wanted number, or the greatest offered one below it, or the first."""
    offered = sorted(int(choice) for choice in choices if choice.isdigit())
    if not offered or int(wanted) in offered:
        return wanted
    return str(next((n for n in reversed(offered) if n < int(wanted)), offered[0]))


def major_units(amount_minor: int, currency: str) -> str:
    """12345 EUR as 123.45, 12345 CLP as 12345."""
    return f"{Decimal(amount_minor).scaleb(-exponent(currency)):f}"


def plan_days(sent: dict[str, str], count: int) -> list[date]:
    """The days on which the parts are due, from the first day and the rhythm that the customer chose on the page."""
    first, rhythm = date.fromisoformat(sent["first_on"]), sent.get("every", "monthly")
    if rhythm.startswith("every_"):
        return [first + timedelta(days=int(rhythm.removeprefix("every_")) * n) for n in range(count)]
    return [first + relativedelta(months=n) for n in range(count)]
