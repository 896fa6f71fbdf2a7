"""Replays: what goes out equals what the dates of the portfolio say, and under limits nothing is lost without a reason."""

from __future__ import annotations

import csv
from collections import defaultdict
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from policies.manual import Manual, builtin_manual, load_manual
from policies.portfolio_map import PortfolioMap, load_map
from rehearsal.portfolio_csv import read_portfolio, with_addresses
from rehearsal.replay import Played, play
from rehearsal.replay_report import contacts_made, limits_kept, summary, write_contacts
from rehearsal.simulator.world import WorldConfig
from tests.channels.outside import simulator
from tests.conftest import Database, TemporalServer
from tests.journeys.stage import end_workflows, stage_settings
from tests.rehearsal.oracle import LADDER, differences, expected, too_close

MAP = Path(__file__).parent / "maps" / "ibm.yaml"
HEADER = "countryCode,customerID,PaperlessDate,invoiceNumber,InvoiceDate,DueDate,InvoiceAmount,Disputed,SettledDate"
PORTFOLIO = Path("1_portfolio/ibm_ar_customers_A.csv")
SLICE = 150
"""Rows of the everyday slice: it has every rung of the ladder, and disputed rows; the drill plays all."""
WEEKLY_SLICE = 100


def map_of(database: Database) -> PortfolioMap:
    """The map of the portfolio, with a creditor of this test's own."""
    return load_map(MAP.read_text().replace("slug: ibm", f"slug: replay-{database.name.replace('_', '-')}"), "ibm.yaml")


async def _replay(
    file: Path, manual: Manual, database: Database, temporal: TemporalServer, out: Path, **options: Any
) -> tuple[Played, dict[str, Any]]:
    how = map_of(database)
    entries = with_addresses(read_portfolio(file, how).entries)
    with simulator(WorldConfig(api_url="http://127.0.0.1:1", receipts="none")) as outside:
        settings = stage_settings(database, temporal, outside.url)
        try:
            played = await play(settings, entries, manual, how.creditor, **options)
        finally:
            await end_workflows(await temporal.client(), database)
        assert outside.world.counts.total() == len(outside.world.sent)
        assert max(outside.world.counts.values(), default=0) <= 1
        made = contacts_made(database.worker, played)
        assert len(outside.world.sent) == sum(not one.folded for one in made)
    write_contacts(out, made, entries)
    return played, summary(database.worker, played, made, manual)


def earliest(portfolio: Path, to: Path, count: int) -> Path:
    """The rows issued first: a slice whose days lie close together."""
    with portfolio.open(encoding="utf-8-sig", newline="") as opened:
        rows = list(csv.DictReader(opened))
    rows.sort(key=lambda row: datetime.strptime(row["InvoiceDate"], "%m/%d/%Y"))  # noqa: DTZ007 - a date has no zone
    with to.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.DictWriter(opened, rows[0])
        writer.writeheader()
        writer.writerows(rows[:count])
    return to


@pytest.mark.shared
async def test_without_limits_the_contacts_are_row_for_row_what_the_csv_says(
    shared_folder: Path, tmp_path: Path, database: Database, temporal: TemporalServer
) -> None:
    file = earliest(shared_folder / "data" / PORTFOLIO, tmp_path / "slice.csv", SLICE)
    played, told = await _replay(file, builtin_manual("unlimited"), database, temporal, tmp_path / "contacts.csv")
    assert len(expected(file)) > SLICE and {row[2] for row in expected(file)} == {rung for rung, _ in LADDER}
    assert differences(file, tmp_path / "contacts.csv") == []
    assert (told["invoices"], told["paid"], told["outcomes"], told["lost"]) == (SLICE, SLICE, {"paid": SLICE}, 0)
    assert played.schedule.refused == []


@pytest.mark.shared
async def test_with_a_weekly_limit_it_holds_in_plain_sql_and_no_rung_is_lost_without_a_reason(
    shared_folder: Path, tmp_path: Path, database: Database, temporal: TemporalServer
) -> None:
    file = earliest(shared_folder / "data" / PORTFOLIO, tmp_path / "slice.csv", WEEKLY_SLICE)
    _, told = await _replay(file, builtin_manual("weekly"), database, temporal, tmp_path / "contacts.csv")
    with Session(database.worker) as session:
        close = session.execute(
            text(
                "select count(*) from contact a join contact b on b.account_id = a.account_id and b.id <> a.id"
                " and b.local_date between a.local_date and a.local_date + 6"
                " where a.state not in ('planned', 'failed') and b.state not in ('planned', 'failed')"
            )
        ).scalar_one()
        reasons = session.execute(
            text("select i.number, s.rung, s.why from step s join invoice i on i.id = s.invoice_id where s.kind = 'skip'")
        ).all()
    assert close == 0
    assert too_close(tmp_path / "contacts.csv") == []
    assert told["limits"] == [{"max": 1, "days": 7, "per": "account", "most": 1, "kept": True}]
    assert told["held_back"]["count"] > 10
    assert all(row.why for row in reasons)
    assert _unexplained(file, tmp_path / "contacts.csv", {(row.number, row.rung) for row in reasons}) == []


@pytest.mark.drill
@pytest.mark.shared
@pytest.mark.parametrize("name", ["unlimited", "weekly"])
async def test_the_whole_portfolio(
    shared_folder: Path, tmp_path: Path, database: Database, temporal: TemporalServer, name: str
) -> None:
    file, out = shared_folder / "data" / PORTFOLIO, tmp_path / "contacts.csv"
    _, told = await _replay(file, builtin_manual(name), database, temporal, out)
    assert told["outcomes"] == {"paid": told["invoices"]} and told["lost"] == 0
    assert (differences(file, out) if name == "unlimited" else too_close(out)) == []


def _unexplained(file: Path, contacts: Path, skipped: set[tuple[str, str]]) -> list[str]:
    """Rungs that were due before the payment and neither went out nor were skipped, nor waited for a slot that never came."""
    with contacts.open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened))
    sent = {(row["invoice"], row["rung"].replace("W", "U")): row for row in rows}
    days: dict[str, list[date]] = defaultdict(list)
    for row in rows:
        days[row["debtor"]].append(date.fromisoformat(row["at_local"][:10]))
    with file.open(encoding="utf-8", newline="") as opened:
        paid = {row["invoiceNumber"]: _date(row["SettledDate"]) for row in csv.DictReader(opened)}
    lost = []
    for number, debtor, rung, _, at, *_ in expected(file):
        if (number, rung) in sent or (number, rung.replace("U", "W")) in skipped:
            continue
        # It waited until it was paid: then there was no free day from the rung's day on.
        first = date.fromisoformat(at[:10])
        free = [
            day
            for day in (first + timedelta(days=n) for n in range((paid[number] - first).days + 1))
            if all(abs((day - other).days) >= 7 for other in days[debtor])
        ]
        if free:
            lost.append(f"{number} {rung} of {first}: could have gone on {free[0]}")
    return lost


def _date(cell: str) -> date:
    month, day, year = map(int, cell.split("/"))
    return date(year, month, day)


EDGES = f"""{HEADER}
1,C-1,1/1/2012,E-1,1/2/2012,2/1/2012,10.00,No,2/1/2012
1,C-2,1/1/2012,E-2,1/2/2012,2/1/2012,10.05,Yes,1/25/2012
1,C-3,1/1/2012,E-3,1/28/2012,2/1/2012,10,No,2/20/2012
1,C-4,1/1/2012,E-4,1/10/2012,2/9/2012,99.99,No,1/5/2012
1,C-4,1/1/2012,E-5,2/1/2012,2/8/2012,99.99,No,2/1/2012
1,C-5,1/1/2012,E-6,2/8/2012,3/9/2012,5.5,No,4/8/2012
"""


async def test_the_edges_of_the_dates(tmp_path: Path, database: Database, temporal: TemporalServer) -> None:
    """Settled on a rung's day (nine goes, noon pays), before the first rung, before it was issued, past a change of clocks."""
    file, out = tmp_path / "edges.csv", tmp_path / "contacts.csv"
    file.write_text(EDGES)
    _, told = await _replay(file, builtin_manual("unlimited"), database, temporal, out)
    assert differences(file, out) == []
    with out.open(newline="") as opened:
        made = [(row["invoice"], row["rung"]) for row in csv.DictReader(opened)]
    assert [rung for number, rung in made if number == "E-1"] == ["U1", "U2"]
    assert [rung for number, rung in made if number == "E-2"] == ["U1"]
    assert [rung for number, rung in made if number == "E-3"] == ["U2", "U3", "U4"]
    assert [rung for number, rung in made if number in ("E-4", "E-5")] == ["U1"]
    assert [rung for number, rung in made if number == "E-6"] == [rung for rung, _ in LADDER]
    assert told["skipped"]["by_reason"] == {"ladder.entered_later": 1}


async def test_rungs_of_one_message_are_rows_of_their_own_with_its_status(
    tmp_path: Path, database: Database, temporal: TemporalServer
) -> None:
    """Two invoices of one debtor, due on one day and paid on different ones; the third is somebody else's."""
    file, out, manual = tmp_path / "two.csv", tmp_path / "contacts.csv", builtin_manual("unlimited")
    rows = [("C-1", "T-1", "2/5/2012"), ("C-1", "T-2", "1/29/2012"), ("C-2", "T-3", "2/5/2012")]
    file.write_text("\n".join([HEADER, *(f"1,{who},,{number},1/2/2012,2/1/2012,10.00,No,{paid}" for who, number, paid in rows)]))
    folding = manual.model_copy(update={"limits": manual.limits.model_copy(update={"fold": True})})
    _, told = await _replay(file, folding, database, temporal, out)
    assert differences(file, out) == [], "folded rungs are told as the others are"
    assert (told["contacts"], told["folded"], told["by_status"]) == (4, 1, {"accepted": 4})
    assert told["by_rung"] == {"U1": 3, "U2": 2}


async def test_an_open_portfolio_enters_at_its_present_rung_and_rows_that_make_no_sense_are_told(
    tmp_path: Path, database: Database, temporal: TemporalServer
) -> None:
    file = tmp_path / "open.csv"
    file.write_text(
        f"{HEADER}\n1,C-1,,O-1,1/2/2012,2/1/2012,10.00,No,\n1,C-1,,O-2,1/2/2012,3/20/2012,20.00,No,\n1,C-2,,O-3,1/2/2012,x,20,No,\n"
    )
    portfolio = read_portfolio(file, map_of(database))
    assert [line.split(": ")[0] for line in portfolio.unreadable] == ["open.csv:4"]
    _, told = await _replay(
        file, builtin_manual("unlimited"), database, temporal, tmp_path / "c.csv", as_of=date(2012, 2, 10), days=15
    )
    with (tmp_path / "c.csv").open(newline="") as opened:
        made = [(row["invoice"], row["rung"], row["at_local"]) for row in csv.DictReader(opened)]
    assert made == [("O-1", "U4", "2012-02-16T09:00:00")]
    assert told["skipped"]["by_reason"] == {"ladder.entered_later": 3}
    assert told["outcomes"] == {"open": 2}


def test_the_count_of_limits_sees_one_contact_too_many() -> None:
    """The summary's own check, on contacts that no limit held back."""
    from rehearsal.replay_report import Made

    manual = load_manual(
        "name: x\nversion: 1\nlimits: {contacts: [{max: 1, days: 7, per: account}]}\n"
        "ladder: [{rung: A, day: D, channels: [email], template: pre_due}]\n",
        "x.yaml",
    )
    days = [date(2012, 2, 1), date(2012, 2, 8), date(2012, 2, 14)]
    made = [Made("N", "A", "email", datetime(2012, 2, 1), day, 1, "USD", "accepted", "a", "p") for day in days]  # noqa: DTZ001
    assert [check["most"] for check in limits_kept(manual, made)] == [2]
    assert [check["kept"] for check in limits_kept(manual, made[:2])] == [True]
