"""`puntual staff`: the creditor's own people who act in the console."""

from __future__ import annotations

import sys
from typing import Annotated
from uuid import UUID

import typer
from rich.table import Table
from sqlalchemy.orm import Session

import clock
from commands.common import creditor_of, on_ledger, out
from ledger.audit import note_act
from ledger.staff import ROLES, add_staff, disable_staff, list_staff, set_password, set_role

staff_app = typer.Typer(no_args_is_help=True, help="People who act in the console.")

Slug = Annotated[str, typer.Argument(help="Short name of the creditor.")]
Login = Annotated[str, typer.Argument(help="An opaque name of your own such as ana-7; never an e-mail address.")]
Role = Annotated[str, typer.Option(help=f"{', '.join(ROLES)}.")]
FromStdin = Annotated[bool, typer.Option("--stdin", help="Read the password from the first line of standard input.")]


@staff_app.command("add")
def staff_add(slug: Slug, login: Login, role: Role, stdin: FromStdin = False) -> None:
    """Add a person. The first password is shown once, unless it is given on standard input."""
    given = _given() if stdin else None
    with on_ledger() as session:
        creditor_id = creditor_of(session, slug)
        _, password = add_staff(session, creditor_id, login, role, clock.wall_now(), password=given)
        _noted(session, creditor_id, "staff_added", login, role=role)
    out.print(f"{login} is {role} of {slug}" if stdin else password, markup=False, soft_wrap=True)


@staff_app.command("list")
def staff_list(slug: Slug) -> None:
    """The people of a creditor, without their passwords."""
    table = Table("login", "role", "since", "last seen", "locked until", "ended")
    with on_ledger() as session:
        creditor_id = creditor_of(session, slug)
        for one in list_staff(session, creditor_id):
            instants = (one.created_at, one.last_seen_at, one.locked_until, one.disabled_at)
            table.add_row(one.login, one.role, *(f"{at:%Y-%m-%d %H:%M} UTC" if at else "" for at in instants))
    out.print(table)


@staff_app.command("password")
def staff_password(slug: Slug, login: Login, stdin: FromStdin = False) -> None:
    """A new password, shown once; every session of the login ends."""
    given = _given() if stdin else None
    with on_ledger() as session:
        creditor_id = creditor_of(session, slug)
        password = set_password(session, creditor_id, login, password=given)
        _noted(session, creditor_id, "staff_password", login)
    out.print(f"{login} has a new password" if stdin else password, markup=False, soft_wrap=True)


@staff_app.command("role")
def staff_role(slug: Slug, login: Login, role: Role) -> None:
    """Another role; every session of the login ends."""
    with on_ledger() as session:
        creditor_id = creditor_of(session, slug)
        set_role(session, creditor_id, login, role)
        _noted(session, creditor_id, "staff_role", login, role=role)
    out.print(f"{login} is {role} of {slug}", markup=False)


@staff_app.command("disable")
def staff_disable(slug: Slug, login: Login) -> None:
    """The login opens nothing any more, at once."""
    with on_ledger() as session:
        creditor_id = creditor_of(session, slug)
        disable_staff(session, creditor_id, login, clock.wall_now())
        _noted(session, creditor_id, "staff_disabled", login)
    out.print(f"{login} is disabled", markup=False)


def _given() -> str:
    return sys.stdin.readline().rstrip("\r\n")


def _noted(session: Session, creditor_id: UUID, act: str, login: str, **detail: str) -> None:
    note_act(session, creditor_id, actor="command line", act=act, subject=f"staff:{login}", detail=detail, now=clock.wall_now())
