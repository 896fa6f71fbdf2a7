"""`puntual import` as a person runs it: a file, a map, a creditor; what it prints, and what it says when something is wrong."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from sqlalchemy import text

from commands.guessing import Wishes
from commands.importing import ImportAsked, import_portfolio
from commands.snapshots import import_snapshot
from ledger.imports import REPORT_HEADER, report_path
from settings import Settings
from supervise import Trouble
from tests import cast
from tests.conftest import Database

CSV = """factura;cliente;emitida;vence;importe;correo
F-1;C-1;01/03/2026;31/03/2026;1.234,50;ana@correo.example.com
F-2;C-2;01/03/2026;31/13/2026;99,00;luis@correo.example.com
F-3;C-1;02/03/2026;01/04/2026;0,99;ana@correo.example.com
"""
MAP = """format: {delimiter: ";", date: "%d/%m/%Y", decimal: ","}
columns: {invoice: factura, debtor: cliente, issued_on: emitida, due_on: vence, amount: importe, email: correo}
defaults: {currency: EUR, country: ES, kind: business, language: es}
"""


def run(
    database: Database, tmp_path: Path, *, creditor: str = "brill", report: Path | None = None, wishes: Wishes | None = None
) -> str:
    settings = Settings(worker_url=database.worker_url, master_key=cast.MASTER_KEY)
    said = StringIO()
    asked = ImportAsked(tmp_path / "open.csv", None if wishes else tmp_path / "map.yaml", creditor, report, wishes or Wishes())
    import_portfolio(asked, settings, out=Console(file=said, width=200), err=Console(file=StringIO()))
    return said.getvalue()


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "open.csv").write_text(CSV, encoding="utf-8")
    (tmp_path / "map.yaml").write_text(MAP, encoding="utf-8")
    return tmp_path


def test_a_file_is_imported_its_bad_row_is_named_and_a_second_run_repeats(database: Database, files: Path) -> None:
    cast.creditor_brill(database.worker, country="ES")
    said = run(database, files)
    assert "3 rows: 2 accepted, 0 repeated, 1 refused" in said
    report = (files / "open.csv.errors.csv").read_text()
    assert report.splitlines()[1].startswith("3,") and "vence" in report
    assert "3 rows: 0 accepted, 2 repeated, 1 refused" in run(database, files)
    with database.worker.connect() as connection:
        assert connection.execute(text("select sum(balance_minor) from invoice")).scalar() == 123_549


def test_an_unknown_creditor_and_a_missing_file_are_one_clear_line(database: Database, files: Path) -> None:
    with pytest.raises(Trouble, match="nobody"):
        run(database, files, creditor="nobody")
    (files / "open.csv").unlink()
    with pytest.raises(Trouble, match=r"open\.csv is not a file"):
        run(database, files)


def test_a_report_that_cannot_be_written_and_a_map_in_another_encoding_are_one_clear_line(
    database: Database, files: Path
) -> None:
    cast.creditor_brill(database.worker, country="ES")
    with pytest.raises(Trouble, match=r"no-such-folder/r\.csv cannot be read or written \(No such file") as trouble:
        run(database, files, report=files / "no-such-folder" / "r.csv")
    assert "Errno" not in str(trouble.value)
    (files / "map.yaml").write_bytes(MAP.replace("factura", "número").encode("latin-1"))
    with pytest.raises(Trouble, match=r"map\.yaml is not text in UTF-8"):
        run(database, files)


def test_a_map_that_is_wrong_is_told_by_line_and_in_plain_words(database: Database, files: Path) -> None:
    (files / "map.yaml").write_text("columns: [factura]\ndefaults: {currency: pesos}\n", encoding="utf-8")
    with pytest.raises(Trouble) as trouble:
        run(database, files)
    first, second = str(trouble.value).splitlines()
    assert first.endswith('map.yaml:1: columns: write an object here: {"name": value, ...}')
    assert second.endswith("map.yaml:2: defaults.currency: write the currency as three capital letters, like COP (ISO 4217)")


def _runs(database: Database) -> int:
    with database.worker.connect() as connection:
        return int(connection.execute(text("select count(*) from import_run")).scalar_one())


def test_a_report_never_takes_the_place_of_what_is_read_by_whatever_link(database: Database, files: Path) -> None:
    cast.creditor_brill(database.worker, country="ES")
    (files / "link.csv").symlink_to(files / "open.csv")
    (files / "hard.yaml").hardlink_to(files / "map.yaml")
    for report in (files / "open.csv", files / "link.csv", files / "map.yaml", files / "hard.yaml", files / "." / "open.csv"):
        with pytest.raises(Trouble, match=r"is the same file as .*, which would be lost: name another path for the list"):
            run(database, files, report=report)
    with pytest.raises(Trouble, match=r"open\.csv is the same file as .*: name another path for the map"):
        run(database, files, wishes=Wishes(yes=True, map_out=files / "open.csv"))
    assert (files / "open.csv").read_text() == CSV and (files / "map.yaml").read_text() == MAP
    assert (files / "link.csv").is_symlink() and _runs(database) == 0


def test_a_report_replaces_an_earlier_one_only(database: Database, files: Path) -> None:
    """Neither the named file nor FILE.errors.csv is deleted when it is something else, refused rows or not."""
    cast.creditor_brill(database.worker, country="ES")
    other, default = files / "notes.txt", files / "open.csv.errors.csv"
    for content in (CSV, "".join(line for line in CSV.splitlines(keepends=True) if not line.startswith("F-2"))):
        (files / "open.csv").write_text(content, encoding="utf-8")
        for path, report in ((other, other), (default, None)):
            path.write_text("line,column\nmine\n")
            with pytest.raises(Trouble, match=rf"{path.name} is there and is no list of refused rows, it would be lost: name"):
                run(database, files, report=report)
            assert path.read_text() == "line,column\nmine\n"
            asked = ImportAsked(files / "open.csv", files / "map.yaml", "brill", report, Wishes(yes=True))
            settings = Settings(worker_url=database.worker_url, master_key=cast.MASTER_KEY)
            with pytest.raises(Trouble, match="is no list of refused rows"):
                import_snapshot(asked, settings, as_of=None, absent_anyway=False, out=Console(file=StringIO()))
            path.unlink()
    assert _runs(database) == 0
    with pytest.raises(Trouble, match="is not a file"):
        run(database, files, report=files)
    earlier = files / "earlier.csv"
    (files / "open.csv").write_text(CSV, encoding="utf-8")
    earlier.touch()  # what a run leaves that was killed as it began its report
    for _ in range(2):
        run(database, files, report=earlier)
        assert [line.split(",")[0] for line in earlier.read_text().splitlines()] == ["line", "3"]


@pytest.mark.parametrize("again", ["\ufeff{}", "{}"])
@pytest.mark.parametrize("sign", [",", ";"])
def test_a_report_that_a_spreadsheet_saved_again_is_still_one(tmp_path: Path, again: str, sign: str) -> None:
    report = tmp_path / "rows.csv.errors.csv"
    report.write_text(again.format(sign.join(f'"{name}"' for name in REPORT_HEADER)) + "\n", encoding="utf-8")
    assert report_path(tmp_path / "rows.csv", None, None) == report


def test_a_loop_of_links_is_no_crash(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert report_path(tmp_path / "rows.csv", tmp_path / "a", None) == tmp_path / "a"


def test_a_remark_in_a_column_of_telephones_is_told_by_its_line_and_the_invoice_is_accepted(
    database: Database, files: Path
) -> None:
    cast.creditor_brill(database.worker, country="ES")
    cells = ("móvil", "612 345 678 / llamar a Juan", "-", "preguntar por Juan")
    (files / "open.csv").write_text("\n".join(f"{row};{cell}" for row, cell in zip(CSV.splitlines(), cells, strict=True)))
    (files / "map.yaml").write_text(MAP.replace("email: correo", "email: correo, sms: móvil"))
    said = run(database, files)
    assert "3 rows: 2 accepted, 0 repeated, 1 refused" in said and "Juan" not in said
    assert "column 'móvil' holds text without a telephone number in line 4: nothing is taken from there" in said
    with database.worker.connect() as connection:
        assert connection.execute(text("select count(*) from address where channel = 'sms'")).scalar() == 1
