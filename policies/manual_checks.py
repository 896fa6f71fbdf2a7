"""What a manual must not say although each of its fields is right: checked when it is written, not when a pinned one is read.

Each finding names the place in the manual and what to do about it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date

from policies import consequences
from policies.delivery_facts import DELIVERY_CHECK
from policies.manual_model import WEEKDAYS, Limits, Manual, Rung, RungDay, parse_day
from policies.messages import MESSAGES
from policies.terms import Channel

AGREEMENT_REMINDER = "agreement_reminder"
"""The message on the day before a promised date; it stands outside the manual's ladder."""
CERTIFICATE_REQUEST = "certificate_request"
"""The request for a document of a deduction; it stands outside the ladder too."""
Finding = tuple[tuple[str | int, ...], str]


def findings(manual: Manual, templates: Collection[str] | None = MESSAGES) -> list[Finding]:
    """Everything that is wrong across fields, in the order of the file. `templates`: the messages there are (None: any)."""
    return [
        *_duplicates(manual),
        *_order(manual),
        *_actions(manual),
        *_repeats(manual),
        *_templates(manual, templates),
        *_never_open(manual),
        *_bands(manual),
        *_closed_days(manual),
        *consequences.findings_of(manual),
    ]


def _duplicates(manual: Manual) -> Iterator[Finding]:
    seen: set[str] = set()
    for index, rung in enumerate(manual.ladder):
        if rung.rung == DELIVERY_CHECK:
            yield ("ladder", index, "rung"), f"{DELIVERY_CHECK} is the check outside the ladder; give the rung another id"
        if rung.rung.startswith(AGREEMENT_REMINDER):
            yield ("ladder", index, "rung"), f"{AGREEMENT_REMINDER} is the reminder of what was agreed; give the rung another id"
        if rung.rung.startswith((CERTIFICATE_REQUEST, "index_value")):
            yield ("ladder", index, "rung"), f"{rung.rung} is a name of the house; give the rung another id"
        if rung.rung in seen:
            yield ("ladder", index, "rung"), f"rung {rung.rung} stands twice; give each rung its own id"
        if rung.requires is not None and rung.requires not in seen:
            yield ("ladder", index, "requires"), f"rung {rung.rung} requires {rung.requires}, which does not stand before it"
        seen.add(rung.rung)


def _reach(day: RungDay) -> tuple[int, int]:
    """The least and the most calendar days that an offset can be from its anchor."""
    if not day.working or day.days == 0:
        return day.days, day.days
    n = abs(day.days)
    # n working days from a Sunday, and from a Friday with up to three holidays on the way
    least, most = n + 2 * ((n - 1) // 5), n + 2 * ((n + 4) // 5) + 3
    return (least, most) if day.days > 0 else (-most, -least)


def _order(manual: Manual) -> Iterator[Finding]:
    latest: dict[str, Rung] = {}
    for index, rung in enumerate(manual.ladder):
        day = parse_day(rung.day)
        before = latest.get(day.anchor)
        if before is not None:
            earlier = parse_day(before.day)
            same_unit = earlier.working == day.working
            back = day.days < earlier.days if same_unit else _reach(day)[1] < _reach(earlier)[0]
            if back:
                message = f"rung {rung.rung} ({rung.day}) goes back in time after {before.rung} ({before.day}); move it up"
                yield ("ladder", index, "day"), message
                continue
        latest[day.anchor] = rung


def _actions(manual: Manual) -> Iterator[Finding]:
    last = len(manual.ladder) - 1
    for index, rung in enumerate(manual.ladder):
        if index == 0 and rung.after_contact_days is not None:
            yield (
                ("ladder", 0, "after_contact_days"),
                f"rung {rung.rung} is the first: there is no contact before it; leave it out",
            )
        if rung.legal_notice and rung.template not in consequences.ANNOUNCES:
            said = ", ".join(sorted(consequences.ANNOUNCES))
            yield (
                ("ladder", index, "legal_notice"),
                f"rung {rung.rung} sends no notice that a law asks for; only these do: {said}",
            )
        if rung.action == "contact" and not rung.channels:
            yield ("ladder", index), f"rung {rung.rung} has no channels; name at least one, or make it action: task"
        if rung.action != "decision" and not rung.template:
            what = "the message it sends" if rung.action == "contact" else "what the person is to do"
            yield ("ladder", index), f"rung {rung.rung} has no template; name {what}"
        if rung.action != "contact" and rung.channels:
            yield ("ladder", index, "channels"), f"rung {rung.rung} is a {rung.action} and contacts nobody; leave channels out"
        if len(set(rung.channels)) < len(rung.channels):
            yield ("ladder", index, "channels"), f"rung {rung.rung} names a channel twice; each is tried once"
        if rung.action == "decision" and index != last:
            yield ("ladder", index, "action"), f"rung {rung.rung} is a decision but not the last rung; nothing may follow it"
        if rung.action == "decision" and manual.agency is None:
            message = f"rung {rung.rung} decides by the agency figures, and there are none; add agency: or make it action: task"
            yield ("ladder", index, "action"), message


def _repeats(manual: Manual) -> Iterator[Finding]:
    for index, rung in enumerate(manual.ladder):
        if rung.repeat is not None and rung.action == "decision":
            yield ("ladder", index, "repeat"), f"rung {rung.rung} is a decision and is taken once; leave repeat out"


def _templates(manual: Manual, templates: Collection[str] | None) -> Iterator[Finding]:
    if templates is None:
        return
    for index, rung in enumerate(manual.ladder):
        if rung.action == "contact" and rung.template and rung.template not in templates:
            message = f"there is no message {rung.template!r}; use one of {', '.join(sorted(templates))}"
            yield ("ladder", index, "template"), message


def _open_days(limits: Limits, channel: Channel) -> list[str]:
    own = limits.channel_windows.get(channel, {})
    return [day for day in WEEKDAYS if own.get(day, limits.windows.get(day, ()))]


def _never_open(manual: Manual) -> Iterator[Finding]:
    limits = manual.limits
    barred = {channel for cap in limits.contacts if cap.max == 0 for channel in (cap.channels or tuple(Channel))}
    for rung in manual.ladder:
        if rung.action != "contact" or not rung.channels:
            continue
        days = {day for channel in rung.channels if channel not in barred for day in _open_days(limits, channel)}
        where = f"on {', '.join(rung.channels)}"
        if not days:
            yield ("limits", "windows"), f"no window ever opens for rung {rung.rung} {where}; give some weekday a window"
        elif rung.firm and not days & set(limits.firm_days):
            message = f"no window opens on a firm day for rung {rung.rung} {where}; add a weekday with a window"
            yield ("limits", "firm_days"), message


def _bands(manual: Manual) -> Iterator[Finding]:
    last: dict[str, int | None] = {}
    for index, band in enumerate(manual.bands):
        here = ("bands", index, "up_to_minor")
        if band.currency in last:
            before = last[band.currency]
            if before is None:
                yield here, f"this {band.currency} band is never reached: the one before it has no upper end; put that one last"
            elif band.up_to_minor is not None and band.up_to_minor <= before:
                yield here, f"{band.currency} bands must grow: {band.up_to_minor} comes after {before}"
        last[band.currency] = band.up_to_minor
    for currency, end in last.items():
        if end is not None:
            yield ("bands",), f"{currency} bands stop at {end}; add a last one without up_to_minor for larger balances"


def _closed_days(manual: Manual) -> Iterator[Finding]:
    for name, entries in (("closed_days", manual.limits.closed_days), ("firm_closed_days", manual.limits.firm_closed_days)):
        for index, entry in enumerate(entries):
            for part in entry.split(".."):
                try:
                    if part != "good_friday":
                        date.fromisoformat(part if len(part) == 10 else f"2024-{part}")
                except ValueError:
                    yield ("limits", name, index), f"{part} is no day of any year; correct it"
