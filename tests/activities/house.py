"""The activities on a real ledger, with the real clients pointed at the simulator; time is the ledger's clock, moved by hand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import Engine, Row, text
from sqlalchemy.orm import Session
from temporalio.testing import ActivityEnvironment

from activities.collector import Collector, Tools
from activities.compose import Composer
from activities.wire import InvoiceRef, Next
from channels import ChannelsConfig, build_senders
from clock import LedgerClock, set_ledger_clock
from ledger.payments import record_payment
from tests import cast
from tests.channels.outside import Simulator


@dataclass
class House:
    """One ledger, one set of activities, one outside world."""

    worker: Engine
    outside: Simulator
    collector: Collector
    tools: Tools
    creditor: cast.Creditor

    def at(self, text_of_moment: str) -> datetime:
        """Move the clock to a local time in Bogota."""
        moment = (datetime.fromisoformat(text_of_moment) + timedelta(hours=5)).replace(tzinfo=UTC)
        return self.move(moment)

    def move(self, moment: datetime) -> datetime:
        """Move the clock to an instant."""
        with self.worker.begin() as connection:
            set_ledger_clock(connection, moment, frozen=True)
        return moment

    def owes(self, number: str = "F-1001", **change: Any) -> UUID:
        """An accepted invoice of Ana, due on 16 March 2026."""
        return cast.accepted_invoice(self.worker, self.creditor, number, **change)

    def plan(self, invoice: UUID) -> Next:
        """Run the plan activity."""
        return ActivityEnvironment().run(self.collector.plan, InvoiceRef(id=str(invoice)))

    def contact(self, invoice: UUID) -> Next:
        """Run the contact activity; on which queue makes no difference."""
        return ActivityEnvironment().run(self.collector.send_email, InvoiceRef(id=str(invoice)))

    def pays(self, invoice: UUID, amount_minor: int = 25_000_000, ref: str = "p-1") -> None:
        """Record a payment now."""
        now = self.tools.clock.now()
        with Session(self.worker) as session, session.begin():
            record_payment(
                session, self.creditor.id, source="manual", source_ref=ref, amount_minor=amount_minor, currency="COP",
                paid_on=now.date(), value_on=now.date(), now=now, invoice_id=invoice,
            )  # fmt: skip

    def rows(self, sql: str, **given: Any) -> list[Row[Any]]:
        """Plain SQL over the ledger."""
        with Session(self.worker) as session:
            return list(session.execute(text(sql), given).all())

    def contacts(self, invoice: UUID) -> list[tuple[str, str, str]]:
        """Key, channel and state of each attempt, in order."""
        found = self.rows("select key, channel, state from contact where invoice_id = :i order by at_utc, attempt", i=invoice)
        return [(row.key, row.channel, row.state) for row in found]

    def faults(self, **faults: Any) -> None:
        """What goes wrong outside from now on."""
        assert httpx.post(f"{self.outside.url}/sim/faults", json=faults).status_code == 200

    def received(self) -> int:
        """How many messages the outside really got."""
        return len(self.outside.world.sent)


def build_house(worker: Engine, outside: Simulator, *, now: datetime = cast.NOW, **manual: Any) -> House:
    """A house of Brill in Bogota on Monday 2 March 2026, 10:00."""
    with worker.begin() as connection:
        set_ledger_clock(connection, now, frozen=True)
    config = ChannelsConfig(
        sendgrid_api_key="SG.test", sendgrid_base_url=outside.url, sender_email="cobros@brill.example",
        twilio_account_sid=outside.keys.twilio_account_sid, twilio_auth_token=outside.keys.twilio_auth_token,
        twilio_base_url=outside.url, twilio_from="+15005550006", carrier_url=outside.url, timeout_seconds=3.0,
    )  # fmt: skip
    sealer = cast.sealer()
    tools = Tools(
        engine=worker, clock=LedgerClock(worker), sealer=sealer, senders=build_senders(config),
        composer=Composer(sealer, "https://pay.example"),
    )  # fmt: skip
    return House(worker, outside, Collector(tools), tools, cast.creditor_brill(worker, **manual))
