"""The creditor's own people who act in the console: a login, a role and a password of which only an argon2id hash is kept.

A login is an opaque name of the creditor's own (`ana-7`), never an e-mail address. Passwords, roles and ends are changed from
the command line with the worker's role; the API's role may count attempts and note who was seen, and nothing else.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, get_args
from uuid import UUID, uuid4

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from ledger.refusals import Refused

StaffRole = Literal["collector", "lead", "admin", "auditor"]
ROLES: tuple[str, ...] = get_args(StaffRole)
MAY: dict[str, tuple[str, ...]] = {
    "collector": ("collector", "lead", "admin"),
    "lead": ("lead", "admin"),
    "admin": ("admin",),
    "auditor": ("auditor", "lead", "admin"),
    "anybody": ROLES,
}
"""Which roles may do what asks for one: a lead does all that a collector does; an auditor reads all and changes nothing.
What concerns a person's own login is for `anybody` who has one."""

ATTEMPTS_MAX = 5
"""Wrong passwords in a row before a login rests."""
LOCKED_FOR = timedelta(minutes=15)
PASSWORD_LENGTH_MIN = 12
PASSWORD_LENGTH_MAX = 200

_LOGIN = re.compile(r"[a-z0-9][a-z0-9._-]{1,39}")
_HASHER = PasswordHasher()
_NOBODY = _HASHER.hash(secrets.token_hex(16))


@dataclass(frozen=True)
class StaffLine:
    """One of the creditor's people as they stand in a list."""

    id: UUID
    login: str
    role: str
    created_at: datetime
    disabled_at: datetime | None
    locked_until: datetime | None
    last_seen_at: datetime | None


def may(role: str, needed: str) -> bool:
    """Whether somebody of that role (empty: an API key, which only looks) may do what asks for `needed`."""
    return role in MAY[needed]


def add_staff(
    session: Session, creditor_id: UUID, login: str, role: str, now: datetime, *, password: str | None = None
) -> tuple[UUID, str]:
    """Add a person; returns the id and the first password, which is made unless given and is shown once.

    Raises Refused `staff-login`, `staff-role`, `staff-password`, `staff-exists`.
    """
    if not _LOGIN.fullmatch(login):
        wanted = "2 to 40 small letters, digits, dots or dashes, a letter or digit first; never an e-mail address"
        raise Refused("staff-login", f"{login!r} is no login: {wanted}", status=422)
    if role not in ROLES:
        raise Refused("staff-role", f"{role!r} is not one of the roles {', '.join(ROLES)}", status=422)
    chosen = password if password is not None else new_password()
    staff_id = uuid4()
    added = session.execute(
        text(
            "insert into staff (id, creditor_id, login, role, password_hash, created_at)"
            " values (:id, :creditor, :login, :role, :hash, :now) on conflict (creditor_id, login) do nothing returning id"
        ),
        {"id": staff_id, "creditor": creditor_id, "login": login, "role": role, "hash": _hashed(chosen), "now": now},
    ).scalar()
    if added is None:
        raise Refused("staff-exists", f"there is already a login {login!r}: choose another, or set its password")
    return staff_id, chosen


def set_password(session: Session, creditor_id: UUID, login: str, *, password: str | None = None) -> str:
    """A new password, made unless given; every session of that login ends. Raises Refused `staff-unknown`, `staff-password`."""
    chosen = password if password is not None else new_password()
    changes = "password_hash = :hash, session_version = session_version + 1, failed_count = 0, locked_until = null"
    _change(session, creditor_id, login, changes, hash=_hashed(chosen))
    return chosen


def set_role(session: Session, creditor_id: UUID, login: str, role: str) -> None:
    """Another role, from the next page on; sessions end. Raises Refused `staff-unknown`, `staff-role`."""
    if role not in ROLES:
        raise Refused("staff-role", f"{role!r} is not one of the roles {', '.join(ROLES)}", status=422)
    _change(session, creditor_id, login, "role = :role, session_version = session_version + 1", role=role)


def disable_staff(session: Session, creditor_id: UUID, login: str, now: datetime) -> None:
    """The login opens nothing from the next page on; what it did stays in the audit. Raises Refused `staff-unknown`."""
    changes = "disabled_at = coalesce(disabled_at, :now), session_version = session_version + 1"
    _change(session, creditor_id, login, changes, now=now)


def list_staff(session: Session, creditor_id: UUID | str) -> list[StaffLine]:
    """All of a creditor, those whose login ended too, by login."""
    rows = session.execute(
        text(
            "select id, login, role, created_at, disabled_at, locked_until, last_seen_at from staff"
            " where creditor_id = :creditor order by login"
        ),
        {"creditor": str(creditor_id)},
    )
    return [StaffLine(*row) for row in rows]


def staff_by_login(session: Session, slug: str, login: str) -> Row[Any] | None:
    """Through the door: id, creditor, role, hash, version and end of a login, or None."""
    return session.execute(
        text(
            "select id, creditor_id, login, role, password_hash, session_version, disabled_at"
            " from door_staff_login(:slug, :login)"
        ),
        {"slug": slug[:60], "login": login[:60]},
    ).one_or_none()


def staff_by_id(session: Session, staff_id: UUID | str) -> Row[Any] | None:
    """Through the door: who a session belongs to, or None."""
    return session.execute(
        text("select id, creditor_id, login, role, session_version, disabled_at from door_staff_session(:id)"),
        {"id": str(staff_id)},
    ).one_or_none()


def change_own_password(session: Session, staff_id: UUID, version: int, kept: str, given: str) -> int | None:
    """A person's own new password, through the door; returns the version of the only session that goes on.

    `kept` is the hash of the present one, which was compared before; None where another change came first. Raises Refused
    `staff-password`.
    """
    found: int | None = session.execute(
        text("select door_staff_password(:id, :version, :old, :new)"),
        {"id": staff_id, "version": version, "old": kept, "new": _hashed(given)},
    ).scalar()
    return found


def session_version_of(session: Session, staff_id: UUID) -> int:
    """The version of a person's present sessions; the session is the creditor's own."""
    return int(session.execute(text("select session_version from staff where id = :id"), {"id": staff_id}).scalar_one())


def hash_of(session: Session, staff_id: UUID) -> str:
    """The hash of a person's password; the session is the creditor's own."""
    return str(session.execute(text("select password_hash from staff where id = :id"), {"id": staff_id}).scalar_one())


def take_attempt(session: Session, staff_id: UUID, now: datetime) -> bool:
    """Count an attempt before the password is looked at, so that many at once are no way round; False while the login rests.

    `now` is machine time: a lock ends also where business time is played. Commit it before the password is compared.
    """
    counted = session.execute(
        text(
            "with next as (select id, case when locked_until is null then failed_count + 1 else 1 end as tries from staff"
            " where id = :id and (locked_until is null or locked_until <= :now) for update)"
            " update staff s set failed_count = n.tries,"
            " locked_until = case when n.tries >= :most then cast(:until as timestamptz) end"
            " from next n where s.id = n.id returning s.id"
        ),
        {"id": staff_id, "now": now, "most": ATTEMPTS_MAX, "until": now + LOCKED_FOR},
    ).scalar()
    return counted is not None


def seen(session: Session, staff_id: UUID, now: datetime) -> None:
    """The password was right: attempts are forgotten."""
    session.execute(
        text("update staff set failed_count = 0, locked_until = null, last_seen_at = :now where id = :id"),
        {"id": staff_id, "now": now},
    )


def is_password(kept: str | None, given: str) -> bool:
    """Whether a password is the one of a kept hash; without one it takes as long and is not."""
    try:
        _HASHER.verify(kept or _NOBODY, given[:PASSWORD_LENGTH_MAX])
        return kept is not None
    except (Argon2Error, InvalidHashError):
        return False


def new_password() -> str:
    """A first password of 96 bits that can be read out: four groups of six letters and digits."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(letters) for _ in range(6)) for _ in range(4))


def _hashed(password: str) -> str:
    if not PASSWORD_LENGTH_MIN <= len(password) <= PASSWORD_LENGTH_MAX:
        least, most = PASSWORD_LENGTH_MIN, PASSWORD_LENGTH_MAX
        raise Refused("staff-password", f"a password has {least} to {most} characters: a few words are easy to keep", status=422)
    return _HASHER.hash(password)


def _change(session: Session, creditor_id: UUID, login: str, changes: str, **values: object) -> None:
    done = session.execute(
        text(f"update staff set {changes} where creditor_id = :creditor and login = :login returning id"),
        {"creditor": creditor_id, "login": login, **values},
    ).scalar()
    if done is None:
        raise Refused("staff-unknown", f"there is no login {login!r}: list them with `puntual staff list`", status=404)
