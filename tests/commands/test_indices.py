"""`puntual index load`: values out of a file, all or none, each day's once."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from commands.indices import read_values
from supervise import Trouble
from tests import cast
from tests.conftest import Database
from tests.test_cli import at_home, puntual

__all__ = ["at_home"]
HEAD = "code,payment_currency,on_day,value,source,valid_until\n"
GOOD = HEAD + "UF,CLP,2026-06-12,39383.07,SII,\nUSD,COP,2026-06-13,4100.50,Superfinanciera,2026-06-15\n"


def test_a_file_is_loaded_and_again_changes_nothing(
    at_home: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    cast.creditor_brill(at_home.worker)
    file = tmp_path / "values.csv"
    file.write_text(GOOD, encoding="utf-8")
    assert [puntual(monkeypatch, "index", "load", str(file), "--creditor", "brill") for _ in range(2)] == [0, 0]
    said = capsys.readouterr().out
    assert "2 values read, 2 new or corrected" in said and "2 values read, 0 new or corrected" in said
    with at_home.worker.connect() as ledger:
        kept = ledger.execute(text("select code, valid_until::text, value::text from index_value order by code")).all()
    assert [tuple(row) for row in kept] == [("CLF", "2026-06-12", "39383.07"), ("USD", "2026-06-15", "4100.50")]
    assert puntual(monkeypatch, "index", "load", str(file), "--creditor", "nobody") == 1


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("UF,CLP,2026-06-12,39.383,07,SII\n", "line 2"), ("UF,CLP,12/06/2026,39383.07,SII,\n", "line 2: on_day"),
        ("UF,CLP,2026-06-12,0,SII,\n", "line 2: value"), ("", "no rows"),
    ],
)  # fmt: skip
def test_one_wrong_line_loads_nothing_and_is_named(tmp_path: Path, lines: str, said: str) -> None:
    file = tmp_path / "values.csv"
    file.write_text((GOOD if lines and said != "line 2" else HEAD)[: len(HEAD)] + lines, encoding="utf-8")
    with pytest.raises(Trouble, match=said):
        read_values(file)
