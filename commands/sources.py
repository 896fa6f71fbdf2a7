"""`puntual source`: where a creditor's payments are told, and how far each source is."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

import typer
from rich.table import Table
from sqlalchemy import text

import clock
from commands.common import creditor_of, on_ledger, out
from ledger import feeds
from policies.feeds import is_late
from supervise import Trouble

source_app = typer.Typer(no_args_is_help=True, help="Where payments are told: while one is late, nobody overdue is chased.")
Creditor = Annotated[str, typer.Option(help="Short name of the creditor.")]
Name = Annotated[str, typer.Argument(help="Its name: small letters, digits, dashes.")]


@source_app.command("declare")
def source_declare(
    name: Name,
    creditor: Creditor,
    kind: Annotated[Literal["bank", "gateway", "erp"], typer.Option(help="bank, gateway or erp.")] = "bank",
    fresh_minutes: Annotated[int, typer.Option(min=1, max=44640, help="gateway, erp: how long it may be silent.")] = 60,
    expected_by: Annotated[str, typer.Option(help="bank: local hour from which a missing file becomes a task.")] = "10:00",
) -> None:
    """Rely on a source from now on. Declared again, its terms change."""
    from policies.manual_model import parse_time

    try:
        parse_time(expected_by)
    except ValueError as error:
        raise Trouble(str(error)) from None
    with on_ledger() as session:
        feeds.declare(
            session, creditor_of(session, creditor), name=name, kind=kind, fresh_minutes=fresh_minutes, expected_by=expected_by,
            now=clock.wall_now(),
        )  # fmt: skip
    out.print(f"{creditor} relies on {name} from now on", markup=False)


@source_app.command("told")
def source_told(
    name: Name,
    creditor: Creditor,
    complete_to: Annotated[str, typer.Option(help="bank: the last day of which all is known, as 2026-03-13.")] = "",
) -> None:
    """Say how far a source is: post its payments first. What waited for it is asked again at once."""
    try:
        day = date.fromisoformat(complete_to) if complete_to else None
    except ValueError:
        raise Trouble(f"{complete_to!r} is not a day: write it as 2026-03-13") from None
    with on_ledger() as session:
        done = feeds.told(
            session, creditor_of(session, creditor), name, now=clock.wall_now(), complete_to=day, actor="puntual source"
        )
    out.print(f"{name} noted; {done.rung} invoices that waited are asked again", markup=False)


@source_app.command("withdraw")
def source_withdraw(name: Name, creditor: Creditor) -> None:
    """Rely on a source no more; what waited for it goes on."""
    with on_ledger() as session:
        rung = feeds.withdraw(session, creditor_of(session, creditor), name, now=clock.wall_now(), actor="puntual source")
    out.print(f"{name} withdrawn; {rung} invoices that waited are asked again", markup=False)


@source_app.command("list")
def source_list(creditor: Creditor) -> None:
    """The declared sources, and which are late."""
    table = Table("name", "kind", "complete to", "seen", "late")
    now = clock.wall_now()
    with on_ledger() as session:
        creditor_id = creditor_of(session, creditor)
        place = session.execute(text("select zone, country from creditor where id = :id"), {"id": creditor_id}).one()
        for feed in feeds.feeds_of(session, creditor_id):
            seen = f"{feed.seen_at:%Y-%m-%d %H:%M} UTC" if feed.seen_at else ""
            late = "late" if is_late(feed, now, place.zone, place.country) else ""
            table.add_row(feed.name, feed.kind, str(feed.complete_to or ""), seen, late)
    out.print(table)
