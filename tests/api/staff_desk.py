"""A person of the creditor at the console, with a role: what the tests of acts share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from fastapi.testclient import TestClient
from sqlalchemy import text

from api.console_session import COOKIE, LASTS, signed, staff_prefix
from clock import wall_now
from ledger.staff import StaffRole
from tests import cast
from tests.api.conftest import House

PASSWORD = "cuatro gatos grises"


@dataclass(frozen=True)
class Desk:
    """A browser with a session: reads pages, sends forms."""

    client: TestClient
    cookie: str
    login: str

    def get(self, address: str, **more: Any) -> Any:
        return self.client.get(address, headers={"cookie": self.cookie}, follow_redirects=False, **more)

    def post(self, path: str, /, once: str | None = None, headers: dict[str, str] | None = None, **fields: Any) -> Any:
        """Send a form as our page does: with the session's token and a fresh name of the form."""
        csrf = cast.sealer().token("console form", self.cookie.split("=", 1)[1])
        data = {"csrf": csrf, "once": once or uuid4().hex} | fields
        headers = {"cookie": self.cookie, "sec-fetch-site": "same-origin"} | (headers or {})
        return self.client.post(path, data=data, headers=headers, follow_redirects=False)


def at_desk(house: House, role: StaffRole, *, login: str = "", creditor: cast.Creditor | None = None) -> Desk:
    """Somebody with that role, signed in; the password itself is tried in the tests of the door."""
    of, login, staff_id = creditor or house.creditor, login or f"{role}-1", uuid4()
    with house.database.worker.begin() as connection:
        connection.execute(
            text(
                "insert into staff (id, creditor_id, login, role, password_hash, created_at)"
                " values (:id, :creditor, :login, :role, 'none', :now)"
            ),
            {"id": staff_id, "creditor": of.id, "login": login, "role": role, "now": cast.NOW},
        )
    cookie = signed(cast.sealer(), staff_prefix(staff_id, 1), wall_now() + LASTS)
    return Desk(house.public, f"{COOKIE}={cookie}", login)


def audited(house: House, act: str = "") -> list[Any]:
    """The audit's rows, oldest first."""
    with house.database.worker.connect() as connection:
        return list(
            connection.execute(
                text("select actor, act, subject, detail, once from audit where :act = '' or act = :act order by id"),
                {"act": act},
            )
        )
