"""The part of the customer's page that asks by which channel and in which hours to write (F34, S16)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from api.portal_view import Choice, Field, Speaker
from ledger.preferences import Preferences, preferences_of, ways_of
from ledger.refusals import Refused
from policies.terms import Channel

ANY = "any"
FROM_HOURS = tuple(f"{hour:02}:00" for hour in range(6, 23))
UNTIL_HOURS = tuple(f"{hour:02}:00" for hour in range(7, 24))


def wish_view(session: Session, invoice_id: UUID, person_id: UUID, speaker: Speaker) -> dict[str, Any]:
    """The form with the present choice in it, and that choice in words; nothing for a person without an address."""
    now, ways = preferences_of(session, invoice_id), ways_of(session, person_id)
    if not ways:
        return {"wish": None, "wished": ""}
    t = speaker.t
    hours = now.hours or (ANY, ANY)
    fields = (
        Field("channel", t["wish_channel"], value=now.channel or ANY, options=((ANY, t["wish_any"]), *((w, t[w]) for w in ways))),
        Field("from", t["wish_from"], value=hours[0], options=_hours(t["wish_any_hour"], FROM_HOURS, hours[0])),
        Field("until", t["wish_until"], value=hours[1], options=_hours(t["wish_any_hour"], UNTIL_HOURS, hours[1])),
    )
    return {"wish": Choice("preference", t["wish"], t["wish_help"], fields), "wished": _in_words(now, speaker)}


def _hours(anything: str, offered: tuple[str, ...], chosen: str) -> tuple[tuple[str, str], ...]:
    """The hours there are to choose from, with one that came in by the API and stands between them."""
    return ((ANY, anything), *((hour, hour) for hour in sorted({*offered, chosen} - {ANY})))


def _in_words(now: Preferences, speaker: Speaker) -> str:
    parts = []
    if now.channel is not None:
        parts.append(speaker.say("wish_by", channel=speaker.t[now.channel]))
    if now.hours is not None:
        parts.append(speaker.say("wish_hours", first=now.hours[0], last=now.hours[1]))
    return speaker.say("wish_now", chosen=", ".join(parts)) if parts else ""


def read_wish(form: Mapping[str, str]) -> Preferences:
    """What the form says; raises Refused `hours-unreadable` for one hour without the other, ValueError for an unknown channel."""
    named = form.get("channel", "")
    channel = None if named in ("", ANY) else Channel(named)
    first, last = (form.get(name, "").strip().removeprefix(ANY) for name in ("from", "until"))
    if bool(first) != bool(last):
        raise Refused("hours-unreadable", "hours need a beginning and an end", status=422)
    return Preferences(channel, (first, last) if first else None)
