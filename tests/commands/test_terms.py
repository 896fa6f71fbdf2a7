"""`puntual creditor set --terms`: a creditor's own codes, and what is said when the file cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from tests import cast
from tests.conftest import Database
from tests.test_cli import at_home, puntual

__all__ = ["at_home"]


def test_a_creditors_own_terms_are_kept_and_wrong_ones_are_said_by_line(
    at_home: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    cast.creditor_brill(at_home.worker)
    file = tmp_path / "terms.yaml"
    file.write_text("codes:\n  Z9: {days: 9}\n", encoding="utf-8")
    assert puntual(monkeypatch, "creditor", "set", "brill", "--terms", str(file)) == 0
    kept = text("select settings -> 'terms' from creditor")
    with at_home.worker.connect() as ledger:
        assert ledger.execute(kept).scalar_one() == {"codes": {"Z9": {"days": 9}}}
    file.write_text("codes:\n  Z9: {dayz: 9}\n", encoding="utf-8")
    assert puntual(monkeypatch, "creditor", "set", "brill", "--terms", str(file)) == 1
    assert "terms.yaml:2: codes.Z9.dayz" in capsys.readouterr().err
    assert puntual(monkeypatch, "creditor", "set", "brill", "--terms", str(tmp_path / "none.yaml")) == 1
