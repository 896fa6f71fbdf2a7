"""The town of a campaign: debtors with up to four invoices each, of every character, all drawn from one seed."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from policies.manual import Manual, load_manual

ZONE = "America/Bogota"
STARTS_ON = date(2026, 3, 2)
DUE_WITHIN_DAYS = 12

MANUAL_DRILL = """\
name: drill
version: 1
send_at: "09:00"
limits:
  windows:
    mon: ["09:00-19:00"]
    tue: ["09:00-19:00"]
    wed: ["09:00-19:00"]
    thu: ["09:00-19:00"]
    fri: ["09:00-19:00"]
    sat: ["09:00-13:00"]
  contacts:
    - {max: 1, days: 1}
    - {max: 4, days: 7}
ladder:
  - {rung: S1, day: D-3, channels: [email, sms], template: pre_due}
  - {rung: S2, day: D+2, channels: [sms, email], template: first_reminder}
  - {rung: S3, day: D+6, channels: [whatsapp, email], template: direct_talk}
  - {rung: S4, day: D+10, channels: [email, sms], template: offer_ways}
  - {rung: S5, day: D+14, channels: [sms, whatsapp], template: affordable_plan, repeat: {every_days: 3, at_most: 2}}
  - {rung: S6, day: D+20, channels: [email, sms], template: last_days, firm: true}
promise: {days_max: 10, count_max: 2, grace_days: 1, remind_day_before: true}
pauses: {already_paid_wd: 3, dispute_days_max: 20, pause_days_max: 20}
"""
"""Six rungs with a repeat on three channels, and limits tight enough that the invoices of one debtor press on each other."""

CHARACTERS = {
    "silent": 6, "forgetful": 4, "partial": 4, "charges_back": 3, "promiser_keeper": 2, "promiser_breaker": 2, "punctual": 1,
    "disputer": 1, "claims_paid": 1, "bouncer": 1, "stopper": 1,
}  # fmt: skip
HASTY = frozenset({"silent", "forgetful", "partial"})
"""Whose invoices are also paid at the very moment of a contact."""


def manual_drill() -> Manual:
    """The manual of the campaign."""
    return load_manual(MANUAL_DRILL, "drill.yaml")


@dataclass(frozen=True)
class Household:
    """One debtor: what is posted for each of its invoices, and how the simulator knows it."""

    ref: str
    character: str
    bodies: tuple[dict[str, Any], ...]
    addresses: dict[str, str]

    def as_debtor(self, webhook_url: str, secret: str, seed: int) -> dict[str, Any]:
        """What is registered outside."""
        hook = {"url": webhook_url, "secret": secret}
        bills = [
            {key: body[key] for key in ("number", "amount_minor", "currency", "due_on")} | {"payment_webhook": hook}
            for body in self.bodies
        ]
        return {
            "ref": self.ref, "character": self.character, "seed": seed, "zone": ZONE, "addresses": self.addresses,
            "invoices": bills,
        }  # fmt: skip


def build_town(invoices: int, seed: int) -> list[Household]:
    """Households with so many invoices in all; the same for the same seed."""
    dice = random.Random(f"{seed}|town")
    town: list[Household] = []
    made = 0
    while made < invoices:
        place = len(town)
        count = min(dice.choice((1, 2, 3, 4)), invoices - made)
        character = dice.choices(list(CHARACTERS), list(CHARACTERS.values()))[0]
        addresses = {"email": f"d{place}@drill.example.com", "sms": f"+57300{place:07d}", "whatsapp": f"+57300{place:07d}"}
        account = {
            "ref": f"C-{place}", "kind": "consumer", "country": "CO", "zone": ZONE, "language": dice.choice(("es", "en", "pt")),
            "contacts": [{"role": "holder", "name": f"Drill Person {place}", "channels": [
                {"channel": channel, "address": address, "consent": "given", "verified": True}
                for channel, address in addresses.items()
            ]}],
        }  # fmt: skip
        bodies = []
        for _ in range(count):
            due_on = STARTS_ON + timedelta(days=dice.randint(2, DUE_WITHIN_DAYS))
            bodies.append(
                {
                    "number": f"D-{made}", "currency": "COP", "issued_on": STARTS_ON.isoformat(), "due_on": due_on.isoformat(),
                    "amount_minor": dice.randint(10_000, 900_000) * 100, "account": account,
                }
            )  # fmt: skip
            made += 1
        town.append(Household(f"C-{place}", character, tuple(bodies), addresses))
    return town
