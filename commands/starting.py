"""`puntual creditor start` and `puntual missent`: how far things go by themselves, and who got what should not have gone."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from sqlalchemy import text

import clock
from commands.common import creditor_of, on_ledger, out
from ledger import missent
from ledger.missent import Batch
from ledger.starting import read_start, set_start
from policies.start_model import StartMode, StartTerms
from supervise import Trouble

missent_app = typer.Typer(no_args_is_help=True, help="Messages that should not have gone.")
_MOMENTS = ["%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d"]


def creditor_start(
    slug: Annotated[str, typer.Argument(help="Short name of the creditor.")],
    mode: Annotated[StartMode | None, typer.Option(help="For everything: watch, approve or auto.")] = None,
    rung: Annotated[list[str] | None, typer.Option(help="Repeatable, as B8=approve; auto takes it back.")] = None,
    segment: Annotated[
        list[str] | None,
        typer.Option(help="Repeatable, as key=approve, kind:consumer=watch, debt_type:trade=approve, from:USD:1000000=approve."),
    ] = None,
    list_at: Annotated[str, typer.Option(help="Creditor's local hour of the list for the next working day, as 15:00.")] = "",
    ceiling: Annotated[int | None, typer.Option(min=0, help="Most messages a day, all channels; 0 takes it away.")] = None,
    channel_ceiling: Annotated[list[str] | None, typer.Option(help="Repeatable, as sms=200; 0 takes it away.")] = None,
) -> None:
    """Say what is only watched, what a person approves first and what goes; of what applies the strictest wins."""
    change: dict[str, Any] = {"default": mode} if mode is not None else {}
    change |= {"rungs": _pairs(rung)} if rung else {}
    change |= {"segments": _pairs(segment)} if segment else {}
    change |= {"list_at": list_at} if list_at else {}
    change |= {"ceiling_per_day": ceiling or None} if ceiling is not None else {}
    with on_ledger() as session:
        creditor_id = creditor_of(session, slug)
        if channel_ceiling:
            most = {channel.value: limit for channel, limit in read_start(session, creditor_id).ceilings.items()}
            most |= {name: _number(limit) for name, limit in _pairs(channel_ceiling).items()}
            change["ceilings"] = {name: limit for name, limit in most.items() if limit}
        terms = set_start(session, creditor_id, change, actor="command line", now=clock.wall_now())
    for line in said(terms):
        out.print(line, markup=False, emoji=False)  # from:COP:1 is no policeman


def said(terms: StartTerms) -> list[str]:
    """The terms as lines for people."""
    words = {
        StartMode.WATCH: "watch: nothing is sent",
        StartMode.APPROVE: "approve: a person first",
        StartMode.AUTO: "auto: it goes",
    }
    lines = [f"everything      {words[terms.default]}"]
    lines += [f"rung {name:11}{words[mode]}" for name, mode in sorted(terms.rungs.items())]
    lines += [f"{name:15} {words[mode]}" for name, mode in sorted(terms.segments.items())]
    if terms.asks:
        lines.append(f"list            drawn at {terms.list_at} for the next working day")
    if terms.ceiling_per_day is not None:
        lines.append(f"ceiling         {terms.ceiling_per_day} messages a day")
    lines += [f"ceiling         {most} by {channel} a day" for channel, most in sorted(terms.ceilings.items())]
    return lines


@missent_app.command("find")
def missent_find(
    creditor: Annotated[str, typer.Option(help="Short name of the creditor.")],
    since: Annotated[datetime, typer.Option("--from", formats=_MOMENTS, help="Creditor's local time, as '2026-03-19 09:00'.")],
    until: Annotated[datetime, typer.Option("--to", formats=_MOMENTS, help="Creditor's local time; not included.")],
    rung: Annotated[str, typer.Option(help="Only this rung.")] = "",
    template: Annotated[str, typer.Option(help="Only this text.")] = "",
) -> None:
    """Who got it: counts by rung and channel, and the accounts. Two people decide in the console what is done about it."""
    with on_ledger() as session:
        creditor_id = creditor_of(session, creditor)
        zone = session.execute(text("select zone from creditor where id = :id"), {"id": creditor_id}).scalar_one()
        begins, ends = (moment.replace(tzinfo=ZoneInfo(zone)) for moment in (since, until))
        found = missent.find(session, creditor_id, Batch(begins, ends, rung, template))
    out.print(f"messages: {found.messages}, people: {found.people}, accounts: {len(found.accounts)}")
    for name, channel, count in found.by_rung:
        out.print(f"  {name:12}{channel:10}{count:>7}", markup=False)
    for ref in found.accounts:
        out.print(ref, markup=False, emoji=False, soft_wrap=True)


def _pairs(given: list[str] | None) -> dict[str, str]:
    found = {}
    for each in given or ():
        name, equals, value = each.partition("=")
        if not equals or not name.strip():
            raise Trouble(f"{each!r} is not a name and a value: write it as name=value")
        found[name.strip()] = value.strip()
    return found


def _number(given: str) -> int:
    if not given.isdigit():
        raise Trouble(f"{given!r} is not a number of messages: write it as sms=200")
    return int(given)
