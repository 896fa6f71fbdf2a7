"""A book told by daily lists and a bank file that is late every second week: the paid are not chased, no word is misjudged."""

from __future__ import annotations

import csv
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from policies.calendars import next_working_day
from policies.manual import builtin_manual
from rehearsal.late_bank import LateBank, told
from rehearsal.portfolio_csv import read_portfolio, with_addresses
from rehearsal.replay import play
from rehearsal.replay_report import contacts_made, write_contacts
from rehearsal.simulator.world import WorldConfig
from tests.channels.outside import simulator
from tests.conftest import Database, TemporalServer
from tests.journeys.stage import end_workflows, stage_settings
from tests.rehearsal.test_replay import PORTFOLIO, earliest, map_of

SLICE = 16


async def _fed(
    file: Path, out: Path, database: Database, temporal: TemporalServer, monkeypatch: pytest.MonkeyPatch | None = None
) -> dict[str, Any]:
    how = map_of(database)
    entries = with_addresses(read_portfolio(file, how).entries)
    if monkeypatch is not None:  # nobody waits for the bank
        monkeypatch.setattr("ledger.feeds.declare", lambda *_, **__: None)
        monkeypatch.setattr("ledger.feeds.told", lambda *_, **__: None)
    with simulator(WorldConfig(api_url="http://127.0.0.1:1", receipts="none")) as outside:
        settings = stage_settings(database, temporal, outside.url)
        try:
            played = await play(settings, entries, builtin_manual("unlimited"), how.creditor, late_bank=True)
        finally:
            await end_workflows(await temporal.client(), database)
    assert isinstance(played.schedule, LateBank)
    assert (played.schedule.refused, played.schedule.paid) == ([], len(entries))
    write_contacts(out, contacts_made(database.worker, played), entries)
    return told(database.worker, played.schedule)


def _after_payment(file: Path, contacts: Path) -> list[str]:
    """Contacts on a day after the bank had booked the payment, from the two files alone."""
    with file.open(encoding="utf-8-sig", newline="") as opened:
        booked = {row["invoiceNumber"]: next_working_day(_day(row["SettledDate"]), "US") for row in csv.DictReader(opened)}
    with contacts.open(encoding="utf-8", newline="") as opened:
        made = [(row["invoice"], datetime.fromisoformat(row["at_local"]).date()) for row in csv.DictReader(opened)]
    assert made
    return [f"{number} on {day}" for number, day in made if day > booked[number]]


def _day(cell: str) -> date:
    month, day, year = map(int, cell.split("/"))
    return date(year, month, day)


@pytest.mark.shared
async def test_nobody_is_written_to_after_the_bank_had_the_money(
    shared_folder: Path, tmp_path: Path, database: Database, temporal: TemporalServer
) -> None:
    file, out = earliest(shared_folder / "data" / PORTFOLIO, tmp_path / "slice.csv", SLICE), tmp_path / "contacts.csv"
    figures = await _fed(file, out, database, temporal)
    assert _after_payment(file, out) == []
    assert (figures["contacts_after_payment"], figures["avoidable_contacts"], figures["promises_judged_wrongly"]) == (0, 0, 0)
    assert figures["promises"] >= 1 and figures["late_bank_days"] > 10 and figures["lists"] > 30


@pytest.mark.drill
@pytest.mark.shared
async def test_the_whole_book_under_a_late_bank(
    shared_folder: Path, tmp_path: Path, database: Database, temporal: TemporalServer
) -> None:
    file, out = shared_folder / "data" / PORTFOLIO, tmp_path / "contacts.csv"
    figures = await _fed(file, out, database, temporal)
    assert _after_payment(file, out) == []
    assert (figures["contacts_after_payment"], figures["avoidable_contacts"], figures["promises_judged_wrongly"]) == (0, 0, 0)
    verdicts = figures["verdicts"]
    assert verdicts["kept"] > 20 and verdicts["broken"] > 20


@pytest.mark.drill
@pytest.mark.shared
async def test_a_house_that_does_not_wait_for_the_bank_is_caught(
    shared_folder: Path, tmp_path: Path, database: Database, temporal: TemporalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, out = earliest(shared_folder / "data" / PORTFOLIO, tmp_path / "slice.csv", 60), tmp_path / "contacts.csv"
    figures = await _fed(file, out, database, temporal, monkeypatch)
    assert figures["contacts_after_payment"] == len(_after_payment(file, out)) > 0
