"""Somebody at the console: what the tests of its pages share."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from uuid import UUID

from fastapi.testclient import TestClient
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from ledger import contacts, facts, receipts, steps
from policies.steps import Contact

MARCH = datetime(2026, 3, 1, 14, 0, tzinfo=UTC)
"""Nine in the morning in Bogotá; March 16 is a Monday."""


def on(day: int, hour: int = 14) -> datetime:
    return MARCH.replace(day=day, hour=hour)


def sign_in(client: TestClient, key: str) -> TestClient:
    answer = client.post("/console/sign-in", data={"key": key}, follow_redirects=False)
    assert answer.status_code == 303
    return client


def decide(worker: Engine, invoice: UUID, now: datetime) -> None:
    """What the plan activity does."""
    with Session(worker) as session, session.begin():
        known, manual = facts.gather(session, invoice, now)
        steps.decide(session, known, manual, now)


def contact(worker: Engine, invoice: UUID, now: datetime, *, delivered: bool = True) -> None:
    """What the activity of a rung does, with a provider that accepts."""
    with Session(worker) as session, session.begin():
        known, manual = facts.gather(session, invoice, now)
        known, step, step_id = steps.decide(session, known, manual, now)
        assert isinstance(step, Contact) and step.at <= now, step
        claimed = contacts.claim(session, known, step, step_id, provider="simulated", now=now)
        assert contacts.start_call(session, claimed.id, text_version="t1", now=now)
        contacts.finish(session, claimed.id, state="accepted", now=now, provider_ref="x-1")
        if delivered:
            receipts.apply_receipt(session, claimed.id, "delivered", at=now, now=now)
    decide(worker, invoice, now)


class Page(HTMLParser):
    """Reads a page strictly: what opens must close, in order, and ids are used once."""

    VOID = frozenset({"meta", "link", "input", "br"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == [], f"never closed: {self._open}"
        ids = [attributes["id"] for _, attributes in self.tags if "id" in attributes]
        assert len(ids) == len(set(ids)), ids

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), (tag, attrs)
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self._open and self._open.pop() == tag, f"</{tag}> closes nothing at {self.getpos()}"

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def hrefs(self) -> list[str]:
        return [attributes["href"] for tag, attributes in self.tags if tag == "a"]


def read(client: TestClient, address: str = "/console") -> Page:
    answer = client.get(address)
    assert answer.status_code == 200, answer.text
    return Page(answer.text)


def numbers(page: Page) -> list[str]:
    """The invoices of a list, in order."""
    return [
        word
        for word, before in zip(page.words[1:], page.words, strict=False)
        if re.fullmatch(r"[FG]-\d+", word) and not before.strip()
    ]
