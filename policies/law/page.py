"""A law pack as a page that a lawyer can read: what holds on a day, whom it binds, and where it stands."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from textwrap import wrap
from typing import Any

from policies.hours import day_text
from policies.law.base import Rule
from policies.law.engine import Law
from policies.law.model import Cap, DayEntry, Hours, Pack
from policies.law.place import BY_A_PERSON
from policies.manual_model import WEEKDAYS

_WIDTH = 100
_HEADINGS = {
    "hours": "When a contact may be made",
    "cap": "How often",
    "spacing": "How far apart",
    "cross_channel": "One channel after another",
    "opt_out": "What the debtor closed",
    "wishes": "What the debtor asked for",
    "bar": "Never",
    "addressee": "Who may be addressed",
    "content": "What may not be said or asked",
    "must_say": "What has to be said",
    "notice_wait": "Notices that come first",
    "moratorium": "Rests",
    "interest": "Late interest",
    "fee": "Fees and costs",
    "limitation": "Limitation",
}
_BASIS = {"law": "law", "guidance": "guidance of the regulator", "house": "DEFAULT OF THE HOUSE, NOT LAW"}
_ALL_OF = frozenset({"items", "never"})
"""Lists of which every item holds; of the others one is enough."""
_PER = {"person_debt": "person and debt"}
_COMMON = frozenset(Rule.model_fields) | {"kind"}


def page(law: Law, code: str, on: date, *, layers: bool = True) -> str:
    """The rules of a jurisdiction in force on a day, and of the larger places around it. Raises KeyError for an unknown code."""
    packs = law.layers((code,)) if layers else (law.pack(code),)
    lines: list[str] = []
    for pack in reversed(packs):
        lines += [*_pack(law, pack, on), ""]
    return "\n".join(lines).rstrip() + "\n"


def _pack(law: Law, pack: Pack, on: date) -> Iterator[str]:
    yield f"{pack.name} ({pack.jurisdiction}): rules in force on {day_text(on)}"
    yield "=" * _WIDTH
    yield from _text(pack.summary)
    yield f"Reviewed on {pack.reviewed_on.isoformat()} from public texts; not legal advice."
    holiday = law.holidays(pack).name(on)
    if pack.calendar.country or pack.calendar.extra:
        yield f"Holiday that day: {holiday}." if holiday else "That day is no holiday."
    for title, entries in (("Days this pack adds to the calendar", pack.calendar.extra), ("Days it drops", pack.calendar.drop)):
        if entries:
            yield f"{title}: {', '.join(map(_day_entry, entries))}."
    now = [rule for rule in pack.rules if _in_force(law, pack, rule, on)]
    for kind, heading in _HEADINGS.items():
        listed = [rule for rule in now if rule.kind == kind]
        if listed:
            yield ""
            yield heading
            yield "-" * len(heading)
            for rule in listed:
                yield from _rule(rule)
    yield from _not_in_force(law, pack, on)
    yield from _settings(law, pack)


def _in_force(law: Law, pack: Pack, rule: Rule, on: date) -> bool:
    dated = (rule.from_ is None or rule.from_ <= on) and (rule.until is None or on <= rule.until)
    return dated and (not rule.setting or law.chosen(pack, rule.setting) == rule.value)


def _rule(rule: Rule) -> Iterator[str]:
    yield ""
    yield f"  {rule.id}  [{_BASIS[rule.basis]}; confidence {rule.confidence}]"
    yield from _text(rule.text, "    ")
    for label, said in _details(rule):
        yield from _text(f"{label}: {said}", "    ", "      ")


def _details(rule: Rule) -> Iterator[tuple[str, str]]:
    own = rule.model_dump(exclude=set(_COMMON), exclude_defaults=True, mode="json")
    if isinstance(rule, Hours):
        yield "Hours", _hours(rule)
        own = {"agreed": rule.agreed} if rule.agreed else {}
    elif isinstance(rule, Cap):
        yield "Limit", _cap(rule)
        own = {}
    for name, value in own.items():
        yield name.replace("_", " ").capitalize(), ", ".join(map(_value, value)) if name in _ALL_OF else _value(value)
    if rule.channels:
        yield "Channels", ", ".join(rule.channels)
    yield "Binds", _binds(rule)
    if rule.when:
        yield "Where", _condition(rule.when)
    by_a_person = sorted({BY_A_PERSON[name] for name in rule.when if name in BY_A_PERSON})
    if by_a_person:
        yield "In the running product", f"nobody but a person knows this: {'; '.join(by_a_person)}"
    if rule.unless:
        yield "Not where", "; or where ".join(map(_condition, rule.unless))
    if rule.from_ or rule.until:
        yield (
            "In force",
            " ".join(
                f"{word} {day.isoformat()}" for word, day in (("from", rule.from_), ("until", rule.until)) if day is not None
            ),
        )
    if rule.setting:
        yield "Setting", f"{rule.setting} = {rule.value}"
    if rule.note:
        yield "Note", rule.note
    yield "Citation", rule.citation
    yield "Source", rule.source


def _hours(rule: Hours) -> str:
    said: list[str] = []
    for day in WEEKDAYS:
        windows = " and ".join(rule.windows.get(day, ())) or "closed"
        if said and said[-1].endswith(f" {windows}"):
            first = said[-1].split(" ")[0].split("-")[0]
            said[-1] = f"{first}-{day} {windows}"
        else:
            said.append(f"{day} {windows}")
    return ", ".join(said) + f"; holidays {rule.holidays}; the closing minute is closed"


def _cap(rule: Cap) -> str:
    period = "one local day" if rule.days == 1 else f"{rule.days} local days" if rule.days else str(rule.period).replace("_", " ")
    if rule.period == "week":
        period = "a calendar week and in seven days"
    per = _PER.get(rule.per, rule.per)
    said = f"at most {rule.max} {rule.counts if rule.max != 1 else rule.counts.removesuffix('s')} in {period}, per {per}"
    if rule.of:
        said += f", counted over {', '.join(rule.of)}"
    if rule.also:
        said += f"; these count too: {', '.join(rule.also)}"
    return said + f"; these never count: {', '.join(rule.free)}" if rule.free else said


def _binds(rule: Rule) -> str:
    binds = rule.binds
    who = {"first": "creditors in their own name", "third": "agencies and buyers of debt"}
    whom = {"consumer": "consumers", "business": "businesses"}
    said = f"{' and '.join(who[p] for p in binds.party)}, towards {' and '.join(whom[d] for d in binds.debtor)}"
    for label, words in (("creditors", binds.creditor_types), ("debts", binds.debt_types), ("loans", binds.loan_types)):
        if words:
            said += f"; {label}: {', '.join(words)}"
    if binds.days_past_due_over is not None:
        said += f"; debts more than {binds.days_past_due_over} days past due"
    return said


def _condition(condition: dict[str, Any]) -> str:
    return " and ".join(f"{name.replace('_', ' ')} is {_value(value) or 'not known'}" for name, value in condition.items())


def _value(value: Any) -> str:
    if value is None:
        return "not known"
    if isinstance(value, bool):
        return "so" if value else "not so"
    if isinstance(value, dict):
        return ", ".join(f"{name.replace('_', ' ')} {_value(each)}" for name, each in value.items())
    if isinstance(value, (list, tuple)):
        return " or ".join(_value(each) or "not known" for each in value)
    return str(value).replace("_", " ")


def _day_entry(entry: DayEntry) -> str:
    since = f" from {entry.from_.isoformat()}" if entry.from_ else ""
    return f"{entry.name} ({entry.day}{since})"


def _not_in_force(law: Law, pack: Pack, on: date) -> Iterator[str]:
    coming = [rule for rule in pack.rules if rule.from_ is not None and rule.from_ > on]
    past = [rule for rule in pack.rules if rule.until is not None and rule.until < on]
    for heading, rules in (("Not yet in force", coming), ("No longer in force", past)):
        if rules:
            yield ""
            yield heading
            for rule in rules:
                when = f"from {rule.from_}" if rules is coming else f"until {rule.until}"
                yield from _text(f"{rule.id} ({when}): {rule.text}", "  ", "    ")


def _settings(law: Law, pack: Pack) -> Iterator[str]:
    if not pack.settings:
        return
    yield ""
    yield "Settings (readings that others dispute; the safe one is in force unless the creditor chooses)"
    for name, setting in pack.settings.items():
        chosen = law.chosen(pack, name)
        yield f"  {name}"
        for choice, meaning in setting.choices.items():
            marks = " (safe)" * (choice == setting.safe) + " (in force)" * (choice == chosen)
            yield from _text(f"{choice}{marks}: {meaning}", "    ", "      ")


def _text(text: str, first: str = "", rest: str | None = None) -> list[str]:
    return wrap(text, _WIDTH, initial_indent=first, subsequent_indent=first if rest is None else rest, break_long_words=False,
                break_on_hyphens=False)  # fmt: skip
