"""`puntual rules`: the page of a pack, the list of packs, and truth cases from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from typer.testing import CliRunner

from commands.rules import rules_app
from supervise import Trouble

CASE = {
    "id": "X-1", "jurisdiction": "CO", "local_datetime": "2026-11-23T06:59:59-05:00", "tz": "America/Bogota", "channel": "call",
    "party": "third", "debtor": "consumer", "expect": "deny", "next_allowed_local": "2026-11-23T07:00:00-05:00",
}  # fmt: skip


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


def puntual(*given: str) -> Done:
    found = CliRunner().invoke(rules_app, given)
    wrong = str(found.exception) if isinstance(found.exception, Trouble) else ""
    assert found.exception is None or wrong or isinstance(found.exception, SystemExit), found.exception
    return Done(found.exit_code, found.stdout, wrong)


def test_a_pack_is_printed_as_it_stands_on_a_day() -> None:
    done = puntual("show", "co", "--on", "2026-12-08")
    assert done.returncode == 0
    for said in ("Tuesday 8 December 2026", "Holiday that day: Immaculate Conception", "CO.hours  [law", "Ley 2300", "https://"):
        assert said in done.stdout
    assert "DEFAULT OF THE HOUSE, NOT LAW" in done.stdout


def test_before_it_was_law_it_is_listed_as_coming() -> None:
    done = puntual("show", "CO", "--on", "2023-10-09")
    assert "Not yet in force" in done.stdout and "CO.hours (from 2023-10-10)" in done.stdout


def test_a_rule_that_only_a_person_can_set_off_says_what_that_person_does() -> None:
    said = " ".join(puntual("show", "UK", "--on", "2026-12-08").stdout.split())
    assert "nobody but a person knows this: stop the account: suppression `breathing_space`" in said


def test_the_larger_places_are_printed_too() -> None:
    assert "United States, federal (US-FED)" in puntual("show", "US-MA", "--on", "2026-11-22").stdout


def test_cases_are_judged_one_a_line_and_the_summary_comes_last(tmp_path: Path) -> None:
    cases = tmp_path / "cases.json"
    cases.write_text(json.dumps([CASE, CASE | {"id": "X-2", "jurisdiction": "ZZ"}]), encoding="utf-8")
    done = puntual("check", str(cases), "--json")
    first, second, last = (json.loads(line) for line in done.stdout.splitlines())
    expected = {"verdict": "deny", "next_allowed_local": "2026-11-23T07:00:00-05:00", "rules": ["CO.hours"]}
    assert first == {"id": "X-1", **expected}
    assert second["verdict"] == "deny" and "there is no law pack 'ZZ'" in second["differs"]
    assert (last["summary"]["passed"], last["summary"]["differ"], done.returncode) == (1, 1, 1)
    cases.write_text(json.dumps([CASE]), encoding="utf-8")
    assert puntual("check", str(cases), "--json").returncode == 0


def test_a_file_that_cannot_be_read_is_one_line_that_says_what_is_wrong(tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text("{", encoding="utf-8")
    naive = tmp_path / "naive.json"
    naive.write_text(json.dumps([CASE | {"local_datetime": "2026-11-23T06:59:59"}]), encoding="utf-8")
    lost = puntual("check", str(naive), "--json")
    assert lost.returncode == 1 and "case 1 (X-1): local_datetime" in json.loads(lost.stdout.splitlines()[0])["differs"]
    for given, said in ((broken, "is not JSON"), (tmp_path / "none.json", "cannot be read")):
        done = puntual("check", str(given))
        assert done.returncode == 1 and said in done.stderr
