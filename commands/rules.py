"""`puntual rules`: a law pack as a page, and truth cases against the engine."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

import clock
from policies.law.cases import CaseError, judged, read_all, summary
from policies.law.packs import PackError, shipped_law, shipped_packs
from policies.law.page import page
from supervise import Trouble

rules_app = typer.Typer(no_args_is_help=True, help="Law packs: what the law of a place allows, with its sources.")
_out = Console(highlight=False)


def _day(given: str) -> date:
    try:
        return date.fromisoformat(given)
    except ValueError:
        raise Trouble(f"{given!r} is not a day: write it as 2026-12-08") from None


@rules_app.command("show")
def show(
    code: Annotated[str, typer.Argument(help="A jurisdiction such as CO, US-MA or CA-ON; without one, the list of all.")] = "",
    on: Annotated[str, typer.Option("--on", help="The day, as 2026-12-08; today if not given.")] = "",
) -> None:
    """Print the rules of a jurisdiction in force on a day, with whom they bind and where they stand."""
    law = shipped_law()
    if not code:
        for pack in shipped_packs():
            count = f"{len(pack.rules)} rule{'s' * (len(pack.rules) != 1)}"
            _print(f"{pack.jurisdiction:8} {pack.name}: {count}, reviewed on {pack.reviewed_on}")
        return
    day = _day(on) if on else clock.RealClock().now().date()
    try:
        _print(page(law, code.upper(), day).rstrip("\n"))
    except KeyError as error:
        raise Trouble(str(error.args[0])) from None


@rules_app.command("check")
def check(
    cases: Annotated[Path, typer.Argument(help="A JSON list of truth cases.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, the summary last.")] = False,
) -> None:
    """Ask the engine every case and print what it says; exit 1 when any differs from what the case expects."""
    try:
        data: Any = json.loads(cases.read_text(encoding="utf-8"))
        results = list(judged(shipped_law(), read_all(data, cases.name)))
    except OSError as error:
        raise Trouble(f"{cases} cannot be read: {error.strerror}; give a file of truth cases") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise Trouble(f"{cases} is not JSON: {error}") from None
    except (CaseError, PackError) as error:
        raise Trouble(str(error)) from None
    for result in results:
        line = result.line()
        if as_json:
            _print(json.dumps(line, ensure_ascii=False))
        else:
            said = f"{line['id']:14} {line['verdict']:6} {line['next_allowed_local'] or '-':26} {' '.join(line['rules'])}"
            _print(said + (f"   DIFFERS: {result.differs}" if result.differs else ""))
    counts = summary(results)
    if as_json:
        _print(json.dumps({"summary": counts}, ensure_ascii=False))
    else:
        certainties = ", ".join(f"{name} {each['passed']}/{each['of']}" for name, each in counts["by_certainty"].items())
        _print(f"{counts['passed']} of {counts['cases']} agree ({certainties})")
    if counts["differ"]:
        raise typer.Exit(1)


def _print(line: str) -> None:
    _out.print(line, markup=False, soft_wrap=True)
