"""The API's list of balances that differ from the creditor's own system."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from sqlalchemy.orm import sessionmaker

from ledger import snapshots
from ledger.import_files import read_table
from ledger.snapshot_apply import apply_run
from policies.portfolio_map import load_map
from tests import cast
from tests.api.conftest import House

MAP = "columns: {invoice: N, debtor: C, due_on: D, amount: A}\ndefaults: {currency: COP, country: CO, kind: consumer}\n"


def test_what_the_list_shows_beyond_our_book_is_listed_with_both_sums(house: House, tmp_path: Path) -> None:
    assert house.client.get("/v1/snapshots/differences").json() == {"differences": []}
    invoice = cast.accepted_invoice(house.database.worker, house.creditor, "F-1")
    path = tmp_path / "list.csv"
    path.write_text("N,C,D,A\nF-1,C-1001,2026-03-16,300000\n")
    how, begin = load_map(MAP, "map.yaml"), sessionmaker(house.database.worker).begin
    table = read_table(path, how)
    listed = snapshots.read_list(how, table)
    with begin() as session:
        seen = snapshots.preview(session, house.creditor.slug, listed, as_of=date(2026, 3, 2), absent_anyway=False, now=cast.NOW)
        run = snapshots.begin(
            session, house.creditor.slug, listed, seen, file=path, digest=table.digest, now=cast.NOW, sealer=cast.sealer()
        )
    apply_run(begin, run.id, now=lambda: cast.NOW, sealer=cast.sealer())
    assert house.client.get("/v1/snapshots/differences").json()["differences"] == [
        {
            "invoice_id": str(invoice), "number": "F-1", "currency": "COP", "as_of": "2026-03-02", "erp_minor": 30_000_000,
            "balance_minor": 25_000_000, "differs_minor": 5_000_000, "state": "open",
        }
    ]  # fmt: skip
