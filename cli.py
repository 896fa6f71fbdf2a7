"""The `puntual` command. It reads options and prints; the work is done in the rooms."""

from __future__ import annotations

import signal
import sys
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from secrets import token_bytes
from typing import Annotated, NoReturn
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

import clock
from doctor import examine
from embedded import home_folder
from ledger.creditors import (
    SAID,
    SCOPES,
    add_creditor,
    create_api_key,
    create_webhook_endpoint,
    describe_creditor,
    find_creditor,
    list_api_keys,
    revoke_api_key,
    revoke_webhook_endpoint,
    rotate_api_key,
    use_manual,
)
from ledger.migrations import migrate as migrate_ledger
from ledger.refusals import Refused
from ledger.sealing import Sealer
from ledger.session import make_engine
from policies.manual import Manual
from rules_command import rules_app
from settings import Settings
from stack import Ports, Stack, settings_given, settings_here
from supervise import Trouble

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="Puntual collects what is owed."
)
creditor_app = typer.Typer(no_args_is_help=True, help="Who is owed.")
key_app = typer.Typer(no_args_is_help=True, help="API keys of a creditor.")
manual_app = typer.Typer(no_args_is_help=True, help="Collections manuals.")
webhook_app = typer.Typer(no_args_is_help=True, help="Addresses at which payment gateways report.")
app.add_typer(creditor_app, name="creditor")
app.add_typer(key_app, name="key")
app.add_typer(manual_app, name="manual")
app.add_typer(webhook_app, name="webhook")
app.add_typer(rules_app, name="rules")
out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

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
        stack.start_servers()
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

    _need(settings_given(), "worker_url", "master_key")
    run_worker()


@app.command()
def api(port: ApiPort = DEFAULT.api, host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1") -> None:
    """Run the API, the portal and the console."""
    import uvicorn

    from api.app import create_app

    settings = _need(settings_given(), "api_url", "master_key")
    uvicorn.run(create_app(settings), host=host, port=port, log_level="warning", access_log=False)


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="A .csv or .xlsx of open invoices.")],
    column_map: Annotated[Path, typer.Option("--map", help="YAML: which column is what.")],
    creditor: Annotated[str, typer.Option(help="Short name of the creditor.")],
    report: Annotated[Path | None, typer.Option(help="Where to list refused rows; else FILE.errors.csv.")] = None,
) -> None:
    """Post the invoices of a file. Stopped, it goes on where it was; run again, it finds everything repeated."""
    from import_command import ImportAsked
    from import_command import import_portfolio as run

    run(ImportAsked(file, column_map, creditor, report), settings_here(), out=out, err=err)


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
) -> None:
    """Play a portfolio on its own dates through the real workflows and write down every contact."""
    from rehearsal.replay_command import ReplayAsked
    from rehearsal.replay_command import replay as run_replay

    asked = ReplayAsked(portfolio, manual, column_map, contacts, as_of.date() if as_of else None, days, first, keep, as_json)
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


def _need(settings: Settings, *names: str) -> Settings:
    missing = [f"PUNTUAL_{name.upper()}" for name in names if not getattr(settings, name)]
    if missing:
        raise Trouble(f"{' and '.join(missing)} must be set for this; `puntual up` runs everything without settings")
    return settings


@contextmanager
def _ledger() -> Iterator[Session]:
    """One transaction on the ledger of this machine or of the environment, as the worker's role."""
    engine = make_engine(settings_here().worker_url, pool_size=1, name="puntual-cli")
    try:
        with Session(engine) as session, session.begin():
            yield session
    finally:
        engine.dispose()


def _creditor_id(session: Session, slug: str) -> UUID:
    found = find_creditor(session, slug)
    if found is None:
        raise Trouble(f"there is no creditor {slug!r}: add it with `puntual creditor add`")
    return found


def _manual(given: str) -> Manual:
    """A manual out of a file, or one of ours; raises Trouble with a line for each thing that is wrong in it."""
    from policies.manual import builtin_manual, load_manual

    path = Path(given)
    try:
        chosen = load_manual(path.read_text(), str(path)) if path.suffix in (".yaml", ".yml") else builtin_manual(given)
    except OSError as error:
        raise Trouble(f"{path} cannot be read ({error.strerror}): check its name, or give one of our manuals") from None
    except (ValueError, KeyError) as error:
        raise Trouble(str(error.args[0] if isinstance(error, KeyError) else error)) from None
    return chosen


@manual_app.command("check")
def manual_check(manual: Annotated[str, typer.Argument(help="A YAML file, or the name of a built-in manual.")]) -> None:
    """Say what is wrong in a manual, line by line."""
    chosen = _manual(manual)
    out.print(f"{chosen.name}: {len(chosen.ladder)} rungs; version {chosen.version}, id {chosen.id[:12]}", markup=False)


@manual_app.command("use")
def manual_use(
    manual: Annotated[str, typer.Argument(help="A YAML file, or the name of a built-in manual.")],
    creditor: Annotated[str, typer.Option(help="Short name of the creditor.")],
) -> None:
    """Make a manual the creditor's own for invoices that come from now on; those accepted keep theirs."""
    chosen = _manual(manual)
    with _ledger() as session:
        use_manual(session, _creditor_id(session, creditor), chosen, clock.wall_now())
    out.print(f"creditor {creditor} follows {chosen.name} from now on", markup=False)


@webhook_app.command("add")
def webhook_add(
    creditor: Annotated[str, typer.Option(help="Short name of the creditor.")],
    kind: Annotated[str, typer.Option(help="standard (Standard Webhooks) or stripe.")] = "standard",
    secret: Annotated[str, typer.Option(help="The gateway's signing secret; left out, one is made (standard only).")] = "",
) -> None:
    """Make an address for a gateway. Address and secret are shown once."""
    if kind == "stripe" and not secret:
        raise Trouble("Stripe makes the secret: copy it from the endpoint's page there and give it as --secret whsec_...")
    settings = _need(settings_here(), "master_key")
    chosen = secret or f"whsec_{b64encode(token_bytes(32)).decode()}"
    with _ledger() as session:
        sealer, creditor_id = Sealer(settings.master_key), _creditor_id(session, creditor)
        token = create_webhook_endpoint(session, sealer, creditor_id, kind, chosen, clock.wall_now())
    path = "payments" if kind == "standard" else "stripe"
    out.print(f"address  {settings.public_url.rstrip('/')}/webhooks/{path}/{token}", markup=False, soft_wrap=True)
    out.print(f"secret   {chosen}", markup=False, soft_wrap=True)


@webhook_app.command("revoke")
def webhook_revoke(token: Annotated[str, typer.Argument(help="The last part of the address.")]) -> None:
    """Nothing is accepted at that address any more."""
    with _ledger() as session:
        revoke_webhook_endpoint(session, token, clock.wall_now())
    out.print("revoked")


@creditor_app.command("add")
def creditor_add(
    slug: Annotated[str, typer.Argument(help="Short name used in addresses and workflow ids, such as acme.")],
    name: Annotated[str, typer.Option(help="Name shown to customers.")],
    country: Annotated[str, typer.Option(help="ISO 3166 code, such as CO.")],
    zone: Annotated[str, typer.Option(help="IANA time zone, such as America/Bogota.")],
    language: Annotated[str, typer.Option(help="es, pt or en.")] = "es",
    manual: Annotated[str, typer.Option(help="A YAML file, or the name of a built-in manual.")] = "b2b_sme",
) -> None:
    """Add a creditor with its collections manual."""
    chosen = _manual(manual)
    with _ledger() as session:
        creditor_id = add_creditor(session, slug, name, country.upper(), zone, language, chosen, clock.wall_now())
    out.print(f"creditor {slug} added ({creditor_id})")


@creditor_app.command("set")
def creditor_set(
    slug: Annotated[str, typer.Argument(help="Short name of the creditor.")],
    say: Annotated[
        list[str] | None, typer.Option(help=f"Repeatable, as reply_to=cobros@acme.co: {', '.join(sorted(SAID))}.")
    ] = None,
    party: Annotated[str, typer.Option(help="first: it collects in its own name; third: the house collects for it.")] = "",
    creditor_type: Annotated[str, typer.Option(help="bank, retailer, utility, nbfc, ...: some laws bind only these.")] = "",
    law: Annotated[
        list[str] | None, typer.Option(help="Repeatable choice for a pack's setting, as CL.message_gap=hours_48.")
    ] = None,
) -> None:
    """Say what messages tell of a creditor, and what law packs need of it."""
    said = dict(_pair(each) for each in say or ())
    choices: dict[str, dict[str, str]] = {}
    for name, value in map(_pair, law or ()):
        code, _, setting = name.partition(".")
        choices.setdefault(code, {})[setting] = value
    terms = {key: value for key, value in (("party", party), ("creditor_type", creditor_type), ("settings", choices)) if value}
    with _ledger() as session:
        describe_creditor(session, _creditor_id(session, slug), said, terms)
    out.print(f"creditor {slug} described")


def _pair(given: str) -> tuple[str, str]:
    name, equals, value = given.partition("=")
    if not equals or not name:
        raise Trouble(f"{given!r} is not a name and a value: write it as name=value")
    return name.strip(), value.strip()


@key_app.command("create")
def key_create(
    creditor: Annotated[str, typer.Option(help="Short name of the creditor.")],
    name: Annotated[str, typer.Option(help="What it is for, such as billing.")],
    scope: Annotated[list[str] | None, typer.Option(help=f"Repeatable: {', '.join(SCOPES)}. All, if none is given.")] = None,
) -> None:
    """Make an API key. It is shown once."""
    with _ledger() as session:
        made = create_api_key(session, _creditor_id(session, creditor), name, scope or SCOPES, clock.wall_now())
    out.print(made.key, markup=False, soft_wrap=True)


@key_app.command("rotate")
def key_rotate(
    prefix: Annotated[str, typer.Argument(help="The part between the underscores of the old key.")],
    overlap_hours: Annotated[int, typer.Option(help="How long the old key still opens.", min=0)] = 24,
) -> None:
    """Make a new key with the scopes of an old one, which ends after the overlap."""
    with _ledger() as session:
        made = rotate_api_key(session, prefix, clock.wall_now(), overlap=timedelta(hours=overlap_hours))
    out.print(made.key, markup=False, soft_wrap=True)


@key_app.command("revoke")
def key_revoke(prefix: Annotated[str, typer.Argument(help="The part between the underscores of the key.")]) -> None:
    """The key opens nothing from the next request on."""
    with _ledger() as session:
        revoke_api_key(session, prefix, clock.wall_now())
    out.print(f"key {prefix} is revoked")


@key_app.command("list")
def key_list(creditor: Annotated[str, typer.Option(help="Short name of the creditor.")]) -> None:
    """The keys of a creditor, without their secrets."""
    table = Table("prefix", "name", "scopes", "made", "ends", "revoked")
    with _ledger() as session:
        for key in list_api_keys(session, _creditor_id(session, creditor)):
            instants = (f"{at:%Y-%m-%d %H:%M} UTC" if at else "" for at in (key.created_at, key.expires_at, key.revoked_at))
            table.add_row(key.prefix, key.name, " ".join(key.scopes), *instants)
    out.print(table)


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
