"""What `unlimited` must do with the IBM portfolio, from the CSV alone: `python -m tests.rehearsal.oracle PORTFOLIO contacts.csv`.

With `weekly` as a third word: that no debtor had two contacts within seven days, from contacts.csv alone.
Nothing of the product is imported. A contact goes at 09:00; an invoice comes in at 00:00 of its issue date, and is paid at 12:00.
"""

from __future__ import annotations

import csv
import sys
from datetime import datetime, time, timedelta
from pathlib import Path

LADDER = (("U1", -7), ("U2", 0), ("U3", 7), ("U4", 15), ("U5", 30))


def expected(portfolio: Path, first: int | None = None) -> list[list[str]]:
    """The rows of contacts.csv, without its header."""
    found = []
    with portfolio.open(encoding="utf-8-sig", newline="") as opened:
        for row in list(csv.DictReader(opened))[:first]:
            issued, due, settled = (_day(row[column]) for column in ("InvoiceDate", "DueDate", "SettledDate"))
            paid = max(datetime.combine(settled, time(12)), issued)
            for rung, days in LADDER:
                at = datetime.combine(due, time(9)) + timedelta(days=days)
                if issued <= at < paid:
                    cents = str(round(float(row["InvoiceAmount"]) * 100))
                    found.append(
                        [row["invoiceNumber"], row["customerID"], rung, "email", at.isoformat(), cents, "USD", "accepted"]
                    )
    return sorted(found, key=lambda row: (row[4], row[0]))


def _day(cell: str) -> datetime:
    month, day, year = map(int, cell.split("/"))
    return datetime(year, month, day)  # noqa: DTZ001 - local time, as in the file


def differences(portfolio: Path, contacts: Path, first: int | None = None) -> list[str]:
    """Each row that only one of the two has, as text; empty when they are equal row for row."""
    with contacts.open(encoding="utf-8", newline="") as opened:
        made = list(csv.reader(opened))[1:]
    wanted = expected(portfolio, first)
    if made == wanted:
        return []
    missing = [f"missing: {','.join(row)}" for row in wanted if row not in made]
    extra = [f"extra:   {','.join(row)}" for row in made if row not in wanted]
    return missing + extra or ["the same rows in another order"]


def too_close(contacts: Path) -> list[str]:
    """Contacts of one debtor within seven local dates of each other."""
    found: list[str] = []
    last: dict[str, datetime] = {}
    with contacts.open(encoding="utf-8", newline="") as opened:
        for row in sorted(csv.DictReader(opened), key=lambda row: row["at_local"]):
            day, before = datetime.fromisoformat(row["at_local"][:10]), last.get(row["debtor"])
            if before is not None and (day - before).days < 7:
                found.append(f"{row['debtor']}: {before:%Y-%m-%d} and {day:%Y-%m-%d}")
            last[row["debtor"]] = day
    return found


def main() -> None:
    """Exit 1 with the first differing rows."""
    if sys.argv[3:] == ["weekly"]:
        close = too_close(Path(sys.argv[2]))
        print(f"{len(close)} pairs within a week {close[:5]}" if close else "no debtor was contacted twice in seven days")  # noqa: T201
        sys.exit(1 if close else 0)
    found = differences(Path(sys.argv[1]), Path(sys.argv[2]))
    for line in found[:20]:
        print(line)  # noqa: T201
    count = len(expected(Path(sys.argv[1])))
    print(f"{len(found)} rows differ" if found else f"{count} contacts, equal row for row")  # noqa: T201
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
