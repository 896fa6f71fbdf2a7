"""`puntual creditor`, `key`, `webhook` and `manual`: who is owed, what opens its doors, and by which manual it collects."""

from __future__ import annotations

from base64 import b64encode
from datetime import timedelta
from pathlib import Path
from secrets import token_bytes
from typing import Annotated

import typer
from rich.table import Table

import clock
from commands.common import creditor_of, manual_of, need, on_ledger, out
from commands.starting import creditor_start
from ledger.creditors import (
    SAID,
    SCOPES,
    add_creditor,
    create_api_key,
    create_webhook_endpoint,
    describe_creditor,
    list_api_keys,
    revoke_api_key,
    revoke_webhook_endpoint,
    rotate_api_key,
    use_manual,
)
from ledger.papers import set_terms_table
from ledger.sealing import Sealer
from policies.due_terms import TableError, TermsTable, load_table
from stack import settings_here
from supervise import Trouble

creditor_app = typer.Typer(no_args_is_help=True, help="Who is owed.")
key_app = typer.Typer(no_args_is_help=True, help="API keys of a creditor.")
manual_app = typer.Typer(no_args_is_help=True, help="Collections manuals.")
webhook_app = typer.Typer(no_args_is_help=True, help="Addresses at which payment gateways report.")
creditor_app.command("start")(creditor_start)


@manual_app.command("check")
def manual_check(manual: Annotated[str, typer.Argument(help="A YAML file, or the name of a built-in manual.")]) -> None:
    """Say what is wrong in a manual, line by line."""
    chosen = manual_of(manual)
    out.print(f"{chosen.name}: {len(chosen.ladder)} rungs; version {chosen.version}, id {chosen.id[:12]}", markup=False)


@manual_app.command("use")
def manual_use(
    manual: Annotated[str, typer.Argument(help="A YAML file, or the name of a built-in manual.")],
    creditor: Annotated[str, typer.Option(help="Short name of the creditor.")],
) -> None:
    """Make a manual the creditor's own for invoices that come from now on; those accepted keep theirs."""
    chosen = manual_of(manual)
    with on_ledger() as session:
        use_manual(session, creditor_of(session, creditor), chosen, clock.wall_now())
    out.print(f"creditor {creditor} follows {chosen.name} from now on", markup=False)


@webhook_app.command("add")
def webhook_add(
    creditor: Annotated[str, typer.Option(help="Short name of the creditor.")],
    kind: Annotated[str, typer.Option(help="standard (Standard Webhooks), stripe or wompi.")] = "standard",
    secret: Annotated[str, typer.Option(help="The gateway's signing secret; left out, one is made (standard only).")] = "",
) -> None:
    """Make an address for a gateway. Address and secret are shown once."""
    if kind != "standard" and not secret:
        raise Trouble(f"{kind} makes the secret: copy it from its page for developers and give it as --secret")
    settings = need(settings_here(), "master_key")
    chosen = secret or f"whsec_{b64encode(token_bytes(32)).decode()}"
    with on_ledger() as session:
        sealer, creditor_id = Sealer(settings.master_key), creditor_of(session, creditor)
        token = create_webhook_endpoint(session, sealer, creditor_id, kind, chosen, clock.wall_now())
    path = "payments" if kind == "standard" else kind
    out.print(f"address  {settings.public_url.rstrip('/')}/webhooks/{path}/{token}", markup=False, soft_wrap=True)
    out.print(f"secret   {chosen}", markup=False, soft_wrap=True)


@webhook_app.command("revoke")
def webhook_revoke(token: Annotated[str, typer.Argument(help="The last part of the address.")]) -> None:
    """Nothing is accepted at that address any more."""
    with on_ledger() as session:
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
    auto: Annotated[bool, typer.Option("--auto", help="Send from the first day on; else everything is only watched.")] = False,
) -> None:
    """Add a creditor with its collections manual."""
    chosen = manual_of(manual)
    with on_ledger() as session:
        creditor_id = add_creditor(
            session, slug, name, country.upper(), zone, language, chosen, clock.wall_now(),
            start="auto" if auto else "watch",
        )  # fmt: skip
    out.print(f"creditor {slug} added ({creditor_id})")
    if not auto:
        out.print(
            f"nothing is sent yet: it only watches, until `puntual creditor start {slug} --mode approve` (or auto)",
            soft_wrap=True,
        )


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
    terms: Annotated[Path | None, typer.Option(help="Its codes for terms of payment, as policies/due_terms.yaml shows.")] = None,
) -> None:
    """Say what messages tell of a creditor, and what law packs need of it."""
    said = dict(_pair(each) for each in say or ())
    choices: dict[str, dict[str, str]] = {}
    for name, value in map(_pair, law or ()):
        code, _, setting = name.partition(".")
        choices.setdefault(code, {})[setting] = value
    told = {key: value for key, value in (("party", party), ("creditor_type", creditor_type), ("settings", choices)) if value}
    table = None if terms is None else _terms(terms)
    with on_ledger() as session:
        creditor_id = creditor_of(session, slug)
        describe_creditor(session, creditor_id, said, told)
        if table is not None:
            set_terms_table(session, creditor_id, table)
    out.print(f"creditor {slug} described")


def _terms(path: Path) -> TermsTable:
    try:
        return load_table(path.read_text(encoding="utf-8"), path.name)
    except OSError as error:
        raise Trouble(f"{path} cannot be read: {error.strerror}") from None
    except (TableError, UnicodeDecodeError) as wrong:
        raise Trouble(str(wrong)) from None


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
    with on_ledger() as session:
        made = create_api_key(session, creditor_of(session, creditor), name, scope or SCOPES, clock.wall_now())
    out.print(made.key, markup=False, soft_wrap=True)


@key_app.command("rotate")
def key_rotate(
    prefix: Annotated[str, typer.Argument(help="The part between the underscores of the old key.")],
    overlap_hours: Annotated[int, typer.Option(help="How long the old key still opens.", min=0)] = 24,
) -> None:
    """Make a new key with the scopes of an old one, which ends after the overlap."""
    with on_ledger() as session:
        made = rotate_api_key(session, prefix, clock.wall_now(), overlap=timedelta(hours=overlap_hours))
    out.print(made.key, markup=False, soft_wrap=True)


@key_app.command("revoke")
def key_revoke(prefix: Annotated[str, typer.Argument(help="The part between the underscores of the key.")]) -> None:
    """The key opens nothing from the next request on."""
    with on_ledger() as session:
        revoke_api_key(session, prefix, clock.wall_now())
    out.print(f"key {prefix} is revoked")


@key_app.command("list")
def key_list(creditor: Annotated[str, typer.Option(help="Short name of the creditor.")]) -> None:
    """The keys of a creditor, without their secrets."""
    table = Table("prefix", "name", "scopes", "made", "ends", "revoked")
    with on_ledger() as session:
        for key in list_api_keys(session, creditor_of(session, creditor)):
            instants = (f"{at:%Y-%m-%d %H:%M} UTC" if at else "" for at in (key.created_at, key.expires_at, key.revoked_at))
            table.add_row(key.prefix, key.name, " ".join(key.scopes), *instants)
    out.print(table)
