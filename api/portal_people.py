"""On the customer's page: why it is not paid, from the list of its kind, and whether a telephone is theirs (playbook 5, 6)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from api.portal_view import Choice, Field, Speaker
from ledger import holders
from ledger.facts import gather
from ledger.people import person_card
from ledger.reasons import Said
from ledger.refusals import not_found
from ledger.sealing import Sealer
from policies.holder import confirmed
from policies.ladder import local_day
from policies.reasons import may_ask, reasons_for


def more_choices(
    session: Session, sealer: Sealer, invoice_id: UUID, person_id: UUID, speaker: Speaker, now: datetime
) -> list[Choice]:
    """What else the page asks: the reason, where the law lets us ask it, and whose a telephone is that nobody confirmed."""
    facts, _ = gather(session, invoice_id, now)
    t, found = speaker.t, []
    if may_ask(facts.law, local_day(now, facts.zone)):
        options = tuple((reason, t[f"why_{reason}"]) for reason in reasons_for(facts.kind))
        fields = (
            Field("reason", t["field_reason"], options=options),
            Field("on", t["why_day"], "date", "", speaker.today.isoformat()),
            Field("amount", speaker.say("why_amount", currency=speaker.currency)),
        )
        found.append(Choice("reason", t["why"], t["why_help"], fields))
    phones = {
        r.number: r.address_id for r in facts.reach if r.person_id == str(person_id) and r.permitted and not confirmed(r, now)
    }
    if phones:
        ways = person_card(session, sealer, person_id).addresses
        numbers = tuple((address, speaker.say("phone_ends", digits=ways[address][-2:])) for address in phones.values())
        whose = Field("whose", t["phone_whose"], options=(("mine", t["phone_mine"]), ("other", t["phone_other"])))
        found.append(Choice("phone", t["phone"], t["phone_help"], (Field("number", t["phone_number"], options=numbers), whose)))
    return found


def read_reason(form: Mapping[str, str], kinds: tuple[str, ...], amount_minor: int | None) -> Said:
    """What the form says; raises ValueError for a reason of no list, or a day that cannot be read."""
    reason, on = form.get("reason", ""), form.get("on", "").strip()
    if reason not in kinds:
        raise ValueError("no such reason")
    return Said(reason, date.fromisoformat(on) if on else None, amount_minor)  # type: ignore[arg-type]


def answer_for_phone(session: Session, person_id: UUID, form: Mapping[str, str], now: datetime) -> None:
    """The person of the link says whether a telephone of theirs is theirs. Raises ValueError, or Refused `not-found`."""
    number, whose = UUID(form.get("number", "")), form.get("whose", "")
    if whose not in ("mine", "other"):
        raise ValueError("whose is mine or other")
    account = session.execute(
        text(
            "select p.account_id from address a join person p on p.id = a.person_id where a.id = :id and p.id = :person"
            " and a.channel in ('sms', 'whatsapp', 'voice')"
        ),
        {"id": number, "person": person_id},
    ).scalar()
    if account is None:
        raise not_found("telephone", number)
    if whose == "mine":
        holders.confirm(session, account, number, by="portal", actor="customer", now=now)
    else:
        holders.deny(session, account, number, now=now)
