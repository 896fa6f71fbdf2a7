"""`puntual import`: a file of open invoices into the ledger of this machine or of the environment, with a progress bar."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from sqlalchemy.orm import sessionmaker

from commands.guessing import Wishes, map_for
from ledger.imports import Imported, WouldBeLost, refuse_same, report_path, run_import
from ledger.refusals import Refused
from ledger.sealing import Sealer
from ledger.session import make_engine
from settings import Settings
from supervise import Trouble
from worker import build_clock


class ImportAsked(NamedTuple):
    """What the command line asked for."""

    file: Path
    column_map: Path | None
    creditor: str
    report: Path | None
    wishes: Wishes = Wishes()


def import_portfolio(asked: ImportAsked, settings: Settings, *, out: Console, err: Console) -> None:
    """Run the import and print what became of the rows; raises Trouble for what a person can put right."""
    for path in (asked.file, asked.column_map):
        if path is not None and not path.is_file():
            raise Trouble(f"{path} is not a file: give the invoices and, with --map, the YAML that names their columns")
    report = checked_report(asked)
    engine = make_engine(settings.worker_url, pool_size=2, name="puntual-import")
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=err, transient=True
    )
    try:
        begin, now = sessionmaker(engine).begin, build_clock(settings, engine).now
        how = asked.column_map or map_for(asked.file, asked.creditor, asked.wishes, begin, now, out=out)
        with bar:
            shown = bar.add_task("importing", total=None)
            done = run_import(
                begin, asked.creditor, asked.file, how, now=now,
                sealer=Sealer(settings.master_key), report=report,
                on_progress=lambda at, total: bar.update(shown, completed=at, total=total),
            )  # fmt: skip
    except UnicodeDecodeError:
        raise Trouble(f"{asked.column_map} is not text in UTF-8: save it again as UTF-8") from None
    except OSError as error:
        raise Trouble(
            f"{error.filename or asked.file} cannot be read or written ({error.strerror}): check its folder and its rights"
        ) from None
    except (ValueError, Refused) as error:
        raise Trouble(str(error)) from None
    finally:
        engine.dispose()
    _say(done, out)


def checked_report(asked: ImportAsked) -> Path:
    """Where refused rows are listed. Raises Trouble when a file would be lost by what is to be written; nothing is done yet."""
    try:
        report = report_path(asked.file, asked.report, asked.column_map)
        if asked.wishes.map_out is not None:
            refuse_same(asked.wishes.map_out, "map", [asked.file, report])
        return report
    except OSError as error:
        raise Trouble(f"{error.filename} cannot be read ({error.strerror}): name another file with --report") from None
    except WouldBeLost as lost:
        raise Trouble(str(lost)) from None


def _say(done: Imported, out: Console) -> None:
    if done.resumed_at:
        out.print(f"went on behind row {done.resumed_at}")
    left = f", {done.left_out} left out" if done.left_out else ""
    out.print(f"{done.rows} rows: {done.accepted} accepted, {done.repeated} repeated, {done.refused} refused{left}")
    for why, count in done.left_why.items():
        out.print(f"left out: {count} {why}", markup=False)
    for note in done.notes:
        out.print(note, markup=False)
    if done.report is not None:
        out.print(f"refused rows, each with its line and what to do: {done.report}", markup=False, soft_wrap=True)
