"""What the tests of lists of open items share: Brill, a customer, and the lists that its ERP exports."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import sessionmaker

from ledger import payments, snapshots
from ledger.facts import gather
from ledger.import_files import read_table
from ledger.snapshot_apply import Applied, apply_run
from policies.portfolio_map import load_map
from tests import cast
from tests.conftest import Database

MAP = load_map(
    'format: {date: dmy, decimal: ","}\n'
    "columns: {invoice: Factura, debtor: Cliente, issued_on: Fecha, due_on: Vence, amount: Importe, balance: Saldo}\n"
    "defaults: {currency: COP, country: CO, kind: business}\n",
    "map.yaml",
)
DAY = date(2026, 3, 2)
NOON = datetime(2026, 3, 3, 15, tzinfo=UTC)
"""Ten in the morning in Bogotá, the day after the first list."""


class Desk:
    """Brill and the lists of its ERP: one customer, amounts of 100,00 unless the balance says otherwise."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database, self.folder = database, folder
        self.creditor = cast.creditor_brill(database.worker)
        self.begin = sessionmaker(database.worker).begin

    def look(self, balances: dict[str, str], as_of: date, now: datetime, anyway: bool = False, due: str = "") -> Any:
        due = due or "27/02/2026"
        rows = [f"{number};C1;01/02/2026;{due};100,00;{balance}\n" for number, balance in balances.items()]
        path = self.folder / f"{as_of}.csv"
        path.write_text("Factura;Cliente;Fecha;Vence;Importe;Saldo\n" + "".join(rows))
        table = read_table(path, MAP)
        listed = snapshots.read_list(MAP, table)
        with self.begin() as session:
            seen = snapshots.preview(session, "brill", listed, as_of=as_of, absent_anyway=anyway, now=now)
        return path, table, listed, seen

    def run(
        self, balances: dict[str, str], as_of: date, now: datetime | None = None, looked: bool = True, **change: Any
    ) -> Applied:
        """Import a list; where it fell too far, a person has looked at it unless the test says otherwise."""
        now = now or NOON + (as_of - DAY)
        run = self.kept(balances, as_of, now, **change)
        return self.apply(run.id, now) if run.state == "applying" or looked else Applied({"waits": 1})

    def kept(self, balances: dict[str, str], as_of: date, now: datetime, **change: Any) -> Any:
        path, table, listed, seen = self.look(balances, as_of, now, **change)
        with self.begin() as session:
            return snapshots.begin(session, "brill", listed, seen, file=path, digest=table.digest, now=now, sealer=cast.sealer())

    def apply(self, run_id: UUID, now: datetime, **more: Any) -> Applied:
        return apply_run(self.begin, run_id, now=lambda: now, sealer=cast.sealer(), **more)

    def plan(self, now: datetime) -> None:
        """Let each invoice be decided, as its workflow would."""
        from ledger import steps
        from ledger.session import lock_debtor_of

        for invoice_id in self.column("select id from invoice order by number"):
            with self.begin() as session:
                lock_debtor_of(session, str(invoice_id))
                steps.decide(session, *gather(session, invoice_id, now), now)

    def pay(self, number: str, ref: str, amount: int, on: date, now: datetime) -> None:
        invoice = self.column(f"select id from invoice where number = '{number}'")[0]
        with self.begin() as session:
            payments.record_payment(
                session, self.creditor.id, source="manual", source_ref=ref, amount_minor=amount, currency="COP", paid_on=on,
                value_on=on, now=now, invoice_id=invoice,
            )  # fmt: skip

    def column(self, sql: str) -> list[Any]:
        with self.database.worker.connect() as connection:
            return list(connection.execute(text(sql)).scalars())

    def book(self) -> dict[str, tuple[int, str | None]]:
        with self.database.worker.connect() as connection:
            rows = connection.execute(text("select number, balance_minor, outcome from invoice order by number")).all()
        return {row.number: (row.balance_minor, row.outcome) for row in rows}


def days(count: int) -> timedelta:
    return timedelta(days=count)


ALL = {"F1": "100,00", "F2": "100,00", "F3": "60,00", "F4": "100,00", "F5": "100,00", "F6": "100,00"}
