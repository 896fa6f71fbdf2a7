"""`puntual import --snapshot` as a person runs it: the preview, a list that waits, and what differs."""

from __future__ import annotations

from datetime import date
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from sqlalchemy import text
from sqlalchemy.orm import Session

from commands import snapshots
from commands.guessing import Wishes
from commands.importing import ImportAsked
from ledger.creditors import find_creditor
from settings import Settings
from supervise import Trouble
from tests import cast
from tests.conftest import Database

HEAD = "Factura;NIT;Emisión;Vencimiento;Valor;Saldo\n"


def _row(number: str, balance: str) -> str:
    return f"{number};900.123.456-8;01/02/2024;27/02/2024;100,00;{balance}\n"


def _run(database: Database, folder: Path, content: str, day: date, **wishes: Any) -> str:
    path = folder / f"{day}.csv"
    path.write_text(content, encoding="utf-8")
    said = StringIO()
    settings = Settings(worker_url=database.worker_url, master_key=cast.MASTER_KEY)
    asked = ImportAsked(path, None, "brill", None, Wishes(**{"yes": True, **wishes}))
    out = Console(file=said, width=200)
    snapshots.import_snapshot(asked, settings, as_of=day, absent_anyway=False, out=out)
    return said.getvalue()


def test_a_list_is_shown_then_applied_and_one_that_fell_waits_for_a_person(database: Database, tmp_path: Path) -> None:
    cast.creditor_brill(database.worker)
    first, second = date(2024, 3, 2), date(2024, 3, 3)
    file = HEAD + _row("F1", "100,00") + _row("F2", "60,00") + "TOTAL;;;;200,00;160,00\n"
    said = _run(database, tmp_path, file, first)
    assert "new here" in said and "COP 160.00" in said and "3 rows: 2 taken, 0 refused, 1 left out" in said
    assert "applied: 2 new here" in said
    with pytest.raises(Trouble, match="nothing was changed: say --yes"):
        _run(database, tmp_path, file, second, yes=False)
    waits = _run(database, tmp_path, HEAD + _row("F1", "100,00"), second)
    assert "a person must look first: rows fell by 50 %; COP balance fell by 37 %" in waits
    assert "puntual snapshot confirm" in waits
    with database.worker.connect() as connection:
        assert connection.execute(text("select sum(balance_minor) from invoice")).scalar() == 16_000


def test_a_remark_in_a_column_of_telephones_is_told_by_its_line(database: Database, tmp_path: Path) -> None:
    cast.creditor_brill(database.worker)
    lines = (HEAD + _row("F1", "100,00") + _row("F2", "60,00")).splitlines()
    cells = ("Celular", "321 123 4567", "llamar a Juan")
    file = "\n".join(f"{line};{cell}" for line, cell in zip(lines, cells, strict=True))
    said = _run(database, tmp_path, file, date(2024, 3, 2))
    assert "2 rows: 2 taken, 0 refused" in said and "Juan" not in said
    assert "column 'Celular' holds text without a telephone number in line 3:" in said


def test_what_differs_is_printed_with_both_sums(database: Database, tmp_path: Path) -> None:
    cast.creditor_brill(database.worker)
    _run(database, tmp_path, HEAD + _row("F1", "60,00"), date(2024, 3, 2))
    _run(database, tmp_path, HEAD + _row("F1", "80,00"), date(2024, 3, 3))
    said = StringIO()
    with Session(database.worker) as session:
        creditor = find_creditor(session, "brill")
        assert creditor is not None
        snapshots.show_differences(session, creditor, Console(file=said, width=200))
    assert all(sum_ in said.getvalue() for sum_ in ("F1", "COP 80.00", "COP 60.00", "COP 20.00", "2024-03-03"))
