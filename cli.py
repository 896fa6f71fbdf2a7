"""The `puntual` command. It reads options and prints; the work is done in the rooms."""

from __future__ import annotations

import signal
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from sqlalchemy.exc import OperationalError

from commands.common import err, need, out
from commands.creditors import creditor_app, key_app, manual_app, webhook_app
from commands.indices import index_app
from commands.rules import rules_app
from commands.snapshots import snapshot_app
from commands.sources import source_app
from commands.staff import staff_app
from commands.starting import missent_app
from doctor import examine
from embedded import home_folder
from ledger.migrations import migrate as migrate_ledger
from ledger.refusals import Refused
from stack import Ports, Stack, refuse_wrong_settings, settings_given, settings_here
from supervise import Trouble

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="Puntual collects what is owed."
)
app.add_typer(creditor_app, name="creditor")
app.add_typer(key_app, name="key")
app.add_typer(manual_app, name="manual")
app.add_typer(webhook_app, name="webhook")
app.add_typer(rules_app, name="rules")
app.add_typer(source_app, name="source")
app.add_typer(index_app, name="index")
app.add_typer(staff_app, name="staff")
app.add_typer(missent_app, name="missent")
app.add_typer(snapshot_app, name="snapshot")

ApiPort = Annotated[int, typer.Option("--port", min=1, max=65535, help="Port of the API.")]
TemporalPort = Annotated[int, typer.Option("--temporal-port", min=1, max=65535, help="Port of Temporal.")]
UiPort = Annotated[int, typer.Option("--ui-port", min=1, max=65535, help="Port of the Temporal UI.")]
SimulatorPort = Annotated[int, typer.Option("--simulator-port", min=1, max=65535, help="Port of the simulated outside world.")]
DEFAULT = Ports()


@app.command()
def doctor(
    port: ApiPort = DEFAULT.api,
    temporal_port: TemporalPort = DEFAULT.temporal,
    ui_port: UiPort = DEFAULT.ui,
    simulator_port: SimulatorPort = DEFAULT.simulator,
) -> None:
    """Check everything `puntual up` needs; one line each, and what to do."""
    findings = examine(home_folder(), Ports(port, temporal_port, ui_port, simulator_port))
    for finding in findings:
        mark = "[green]ok [/]" if finding.fine else "[bold red]NO [/]"
        out.print(f"{mark} {finding.what:15}", end="")
        out.print(finding.line, markup=False, soft_wrap=True)
    wrong = sum(not finding.fine for finding in findings)
    if wrong:
        err.print(f"{wrong} to put right")
        raise typer.Exit(1)


@app.command()
def up(
    port: ApiPort = DEFAULT.api,
    temporal_port: TemporalPort = DEFAULT.temporal,
    ui_port: UiPort = DEFAULT.ui,
    simulator_port: SimulatorPort = DEFAULT.simulator,
    servers_only: Annotated[bool, typer.Option("--servers-only", help="PostgreSQL and Temporal, nothing of our own.")] = False,
) -> None:
    """Run everything on this machine in real time, data in var/ (or PUNTUAL_HOME). Ctrl-C stops it."""
    stack = Stack(home_folder(), Ports(port, temporal_port, ui_port, simulator_port), say=_say)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stack.supervisor.ask_to_stop())
    try:
        stack.start_servers(services=not servers_only)
        if not servers_only:
            stack.start_services()
        _show_addresses(stack, servers_only)
        stack.supervisor.wait()
        err.print("stopping")
    finally:
        stack.stop()


def _say(line: str) -> None:
    err.print(line, markup=False, soft_wrap=True)


def _show_addresses(stack: Stack, servers_only: bool) -> None:
    lines = {"Temporal UI": stack.temporal.ui_url, "Logs": str(stack.home / "log")}
    if not servers_only:
        lines = {"Console": f"{stack.api_url}/console", "API and its docs": f"{stack.api_url}/docs"} | lines
    if not servers_only and any(stack.simulates().values()):
        lines["Outside world, simulated"] = stack.simulator_url
    for what, where in lines.items():
        out.print(f"{what:26}{where}", markup=False, soft_wrap=True)
    out.print("Up. Ctrl-C stops it; the data stays.")


@app.command()
def migrate() -> None:
    """Bring the database of PUNTUAL_OWNER_URL to this version's schema."""
    settings = settings_given()
    if not settings.owner_url:
        raise Trouble("PUNTUAL_OWNER_URL is not set: give the address of role puntual_owner (postgresql+psycopg2://...)")
    migrate_ledger(settings.owner_url)
    out.print("the ledger has the present schema")


@app.command()
def worker() -> None:
    """Run a worker: workflows, activities, relay and reconcile."""
    from worker import main as run_worker

    refuse_wrong_settings()
    need(settings_given(), "worker_url", "master_key")
    run_worker()


@app.command()
def api(port: ApiPort = DEFAULT.api, host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1") -> None:
    """Run the API, the portal and the console."""
    import uvicorn

    from api.app import create_app

    settings = need(settings_given(), "api_url", "master_key")
    uvicorn.run(create_app(settings), host=host, port=port, log_level="warning", access_log=False)


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="A .csv or .xlsx of open invoices.")],
    creditor: Annotated[str, typer.Option(help="Short name of the creditor.")],
    column_map: Annotated[Path | None, typer.Option("--map", help="YAML: which column is what; else it is guessed.")] = None,
    report: Annotated[Path | None, typer.Option(help="Where to list refused rows; else FILE.errors.csv.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Use the guessed map, or apply the snapshot, without asking.")] = False,
    map_out: Annotated[Path | None, typer.Option(help="Write the map that is used as YAML.")] = None,
    currency: Annotated[str, typer.Option(help="Where no column says it: an ISO code.")] = "",
    kind: Annotated[str, typer.Option(help="The customers are: business or consumer.")] = "",
    decimal: Annotated[str, typer.Option(help="What decimals are written with: . or ,")] = "",
    dates: Annotated[str, typer.Option(help="The order of days: dmy, mdy or ymd.")] = "",
    snapshot: Annotated[bool, typer.Option("--snapshot", help="The file is the creditor's whole list of open items.")] = False,
    as_of: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The day whose end the list describes; else yesterday.")
    ] = None,
    absent_anyway: Annotated[
        bool, typer.Option("--absent-anyway", help="Close what is not in the list also when rows were refused.")
    ] = False,
) -> None:
    """Post the invoices of a file, or compare a whole list. Stopped, it goes on; run again, it finds everything repeated."""
    from commands.guessing import Wishes
    from commands.importing import ImportAsked
    from commands.importing import import_portfolio as run

    asked = ImportAsked(file, column_map, creditor, report, Wishes(currency, kind, decimal, dates, yes, map_out))
    if snapshot:
        from commands.snapshots import import_snapshot

        day = as_of.date() if as_of else None
        import_snapshot(asked, settings_here(), as_of=day, absent_anyway=absent_anyway, out=out)
    else:
        run(asked, settings_here(), out=out, err=err)


@app.command()
def replay(
    portfolio: Annotated[Path, typer.Argument(help="A CSV file of invoices and, where known, the days they were paid.")],
    column_map: Annotated[Path, typer.Option("--map", help="YAML: which column is what.")],
    manual: Annotated[str, typer.Option(help="A YAML file, or the name of a built-in manual.")] = "unlimited",
    contacts: Annotated[Path, typer.Option("--out", help="Where to write the contacts.")] = Path("contacts.csv"),
    as_of: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Accept every invoice on this day.")] = None,
    days: Annotated[int | None, typer.Option(min=1, help="Play so many days.")] = None,
    first: Annotated[int | None, typer.Option(min=1, help="Only the first so many rows.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The summary as JSON.")] = False,
    keep: Annotated[bool, typer.Option(help="Leave the scratch folder.")] = False,
    late_bank: Annotated[
        bool, typer.Option("--late-bank", help="Fed by daily lists of open items and a bank file that is late every second week.")
    ] = False,
) -> None:
    """Play a portfolio on its own dates through the real workflows and write down every contact."""
    from rehearsal.replay_command import ReplayAsked
    from rehearsal.replay_command import replay as run_replay

    asked = ReplayAsked(
        portfolio, manual, column_map, contacts, as_of.date() if as_of else None, days, first, keep, as_json, late_bank
    )
    run_replay(asked, out=out, err=err)


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="Play, show, and end.")] = False,
    port: ApiPort = DEFAULT.api,
    temporal_port: TemporalPort = DEFAULT.temporal,
    ui_port: UiPort = DEFAULT.ui,
    simulator_port: SimulatorPort = DEFAULT.simulator,
) -> None:
    """Play ninety days of a sample portfolio, then stay up. Its data is in var/demo and is made anew each time."""
    from rehearsal.demo import run as run_demo

    run_demo(Ports(port, temporal_port, ui_port, simulator_port), once=once, out=out, err=err)


def main() -> None:
    """Run the command; what a person can put right is one line on stderr and exit code 1."""
    try:
        app()
    except (Trouble, Refused) as error:
        _fail(str(error))
    except OperationalError as error:
        reason = (str(error.orig).strip().splitlines() or ["no reason given"])[0]
        _fail(f"the database does not answer ({reason}): check that it runs and that its address is right")


def _fail(line: str) -> NoReturn:
    err.print(f"puntual: {line}", style="red", markup=False, soft_wrap=True)
    sys.exit(1)


if __name__ == "__main__":
    main()
