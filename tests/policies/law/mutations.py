"""`python -m tests.policies.law.mutations`: one-line mistakes planted in the rules of hours, budgets and law, each to be caught.

Each mistake is planted alone in a copy of the tree, where the quick tests of these rules must fail. One that passes them is a
missing test. tests/policies/law/test_mutations.py sees to it that every line quoted here still stands, once, in its file.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

from rich.console import Console

from clock import monotonic

PROJECT = Path(__file__).parents[3]
QUICK_TESTS = (
    "tests/policies/law/test_corners.py", "tests/policies/test_hours.py", "tests/policies/test_budget.py",
    "tests/policies/test_contactable.py", "tests/policies/law/test_own_cases.py", "tests/policies/law/test_brute.py",
)  # fmt: skip
_COPIED = ("policies", "tests")


class Mutation(NamedTuple):
    """A mistake: a text that stands once in a file, and what is put in its place."""

    file: str
    old: str
    new: str


HOURS, BUDGET, CONTACTABLE = "policies/hours.py", "policies/budget.py", "policies/contactable.py"
COUNT, OPENING, ENGINE = "policies/law/count.py", "policies/law/opening.py", "policies/law/engine.py"
DAYS, BASE = "policies/law/days.py", "policies/law/base.py"
MUTATIONS = (
    # the debtor's clock and calendar
    Mutation(HOURS, "max(midnight + timedelta(minutes=opens) - offset, start)", "midnight + timedelta(minutes=opens) - offset"),
    Mutation(HOURS, "min(midnight + timedelta(minutes=closes) - offset, end)", "midnight + timedelta(minutes=closes) - offset"),
    Mutation(HOURS, "for start, end, offset in _offsets(zone, day):", "for start, end, offset in _offsets(zone, day)[:1]:"),
    Mutation(HOURS, "if own is not None and weekday in own:", "if own:"),
    Mutation(HOURS, "if span_start < span_end:", "if span_start <= span_end:"),
    Mutation(HOURS, "if found and span.start <= found[-1].end:", "if found and span.start < found[-1].end:"),
    Mutation(HOURS, "if (first <= month_day <= last) if first <= last", "if (first <= month_day < last) if first <= last"),
    Mutation(HOURS, "(month_day >= first or month_day <= last)", "(month_day >= first and month_day <= last)"),
    Mutation(HOURS, "elif entry in (month_day, day.isoformat()):", "elif entry == month_day:"),
    Mutation(HOURS, "if place.creditor_country and place.creditor_country != place.country:", "if False:"),
    Mutation(HOURS, "name = holiday_name(day, place.country, place.region)", "name = holiday_name(day, place.country)"),
    Mutation(HOURS, "if limits.holidays:", "if limits.holidays and firm:"),
    Mutation(HOURS, "eve = _holiday(day + _ONE_DAY, place)", "eve = _holiday(day - _ONE_DAY, place)"),
    Mutation(HOURS, "if not limits.firm_eves:", "if limits.firm_eves:"),
    Mutation(HOURS, "if WEEKDAYS[day.weekday()] not in limits.firm_days:", "if not limits.firm_days:"),
    Mutation(HOURS, "return at.astimezone(zone_of(zone)).date()", "return at.date()"),
    # the house's budget
    Mutation(BUDGET, "ordinal, self.cap.days - 1, self.cap.max)", "ordinal, self.cap.days, self.cap.max)"),
    Mutation(BUDGET, "first = bisect_left(days, ordinal - reach)", "first = bisect_right(days, ordinal - reach)"),
    Mutation(BUDGET, "last = bisect_right(days, ordinal + reach)", "last = bisect_right(days, ordinal)"),
    Mutation(BUDGET, "start + reach) - index >= most:", "start + reach) - index > most:"),
    Mutation(BUDGET, "- bisect_left(days, ordinal) >= most", "- bisect_left(days, ordinal) > most"),
    Mutation(BUDGET, "and entry.state is not AttemptState.FAILED", "and entry.state is AttemptState.DELIVERED"),
    Mutation(BUDGET, "            and entry.is_attempt\n", ""),
    Mutation(BUDGET, "not (entry.key == own[1] and entry.invoice_id == own[0])", "not (entry.key == own[1])"),
    Mutation(BUDGET, "oldest = since - max(timedelta(days=longest + 3), self._gap or timedelta())", "oldest = since"),
    Mutation(BUDGET, "bisect_right(self._instants, at - self._gap) :]", "bisect_right(self._instants, at) :]"),
    Mutation(BUDGET, "            if at <= other - self._gap:\n", "            if at < other:\n"),
    Mutation(BUDGET, "at = max(at, other + self._gap)", "at = other"),
    Mutation(BUDGET, "for entry in counted if entry.person_id == person_id)", "for entry in counted)"),
    Mutation(BUDGET, " or entry.person_id == person_id)", ")"),
    Mutation(BUDGET, "and (cap.channels is None or entry.channel in cap.channels)\n        and", "and"),
    # which contacts the law counts
    Mutation(COUNT, "if abs(at - each) < self._gap:", "if abs(at - each) <= self._gap:"),
    Mutation(COUNT, "if abs(at - each) < self._gap:", "if timedelta() <= at - each < self._gap:"),
    Mutation(COUNT, "return not contact.debts or not debt or debt in contact.debts", "return debt in contact.debts"),
    Mutation(COUNT, "talks and contact.at >= min(talks)]", "talks and contact.at > min(talks)]"),
    Mutation(COUNT, "if len(counted) < rule.max:", "if len(counted) <= rule.max:"),
    Mutation(COUNT, "last = first + rule.consent_days - 1", "last = first + rule.consent_days"),
    Mutation(COUNT, "(min(last, min(talks) - 1) if talks else last)", "last"),
    Mutation(COUNT, "= rule.of or rule.channels\n        if (channels", "= rule.channels\n        if (channels"),
    Mutation(COUNT, "or (rule.same_channel and contact.channel != channel):", "or rule.same_channel:"),
    Mutation(COUNT, "if contact.inbound or contact.consented or", "if contact.inbound or"),
    Mutation(COUNT, "if contact.inbound or contact.consented or", "if contact.consented or"),
    Mutation(COUNT, "not contact.connected and contact.outcome not in rule.also:", "not contact.connected:"),
    Mutation(COUNT, 'else contact.connected or rule.after == "attempt")', 'else contact.connected)'),
    Mutation(COUNT, '{"day": _within(1), "seven_days": _within(_WEEK_DAYS)', '{"day": _within(1), "seven_days": _within(6)'),
    Mutation(COUNT, "by_seven(days, day) or by_week(days, day))", "by_week(days, day))"),
    Mutation(COUNT, "if each.connected and not each.inbound and", "if not each.inbound and"),
    Mutation(COUNT, "reach = rule.days - 1", "reach = rule.days"),
    Mutation(COUNT, "rolling_refuses(days, day, _WEEK_DAYS - 1, most) or _in_week", "_in_week"),
    Mutation(COUNT, "monday = day - (day - 1) % _WEEK_DAYS", "monday = day - day % _WEEK_DAYS"),
    Mutation(COUNT, "return day.year, day.month", "return 0, day.month"),
    Mutation(COUNT, "bisect_left(days, day - reach + 1)", "bisect_left(days, day)"),
    Mutation(COUNT, 'spoken = contact.connected and contact.channel in ("call", "visit") and', "spoken = contact.connected and"),
    # when a rule opens
    Mutation(OPENING, "        if not windows or (self._closed_on is not None", "        if (self._closed_on is None"),
    Mutation(OPENING, "[*windows, *also] if windows else windows", "[*windows, *also]"),
    Mutation(OPENING, "self._unwanted[_next_weekday(named)].extend(morning)", "self._unwanted[named].extend(morning)"),
    Mutation(OPENING, "((low, min(high, start)), (max(low, end), high))]", "((low, min(high, start)),)]"),
    Mutation(OPENING, "best is not None and not changes_offset(zone, day):", "best is not None:"),
    Mutation(OPENING, "day = local_date_of(at, zone) - _ONE_DAY\n    best", "day = at.date()\n    best"),
    Mutation(OPENING, "dated(sent, zone) + timedelta(days=rule.days))", "dated(sent, zone) + timedelta(days=rule.days + 1))"),
    Mutation(OPENING, "if missing or (not sent and (of_action or rule.notice in facts)):", "if missing:"),
    Mutation(OPENING, "return Resting(zone, first, first + timedelta(days=rule.days))", "return Resting(zone, first, first)"),
    Mutation(OPENING, "timedelta(days=rule.days + 1) if end", "timedelta(days=rule.days) if end"),
    Mutation(OPENING, "return day_start(self._zone, day if self._full.refuses(day) else day + _ONE_DAY)", "return FOR_EVER"),
    # what the engine makes of it
    Mutation(ENGINE, "return floor if floor == at else floor + timedelta(minutes=1)", "return floor + timedelta(minutes=1)"),
    Mutation(ENGINE, "and (not rule.setting or self.chosen(pack, rule.setting) == rule.value)", ""),
    Mutation(ENGINE, "for outer in self.pack(code).within:", "for outer in ():"),
    Mutation(ENGINE, "in question.zones:\n                # What", "in question.zones[:1]:\n                # What"),
    Mutation(ENGINE, "if (first is not None and day < first) or (last", "if (last"),
    Mutation(ENGINE, "day > last):\n            return at", "day >= last):\n            return at"),
    Mutation(ENGINE, "return max(at, day_start(self._zone, last + _ONE_DAY))", "return found"),
    Mutation(ENGINE, "{**pack.assumes, **question.facts} if", "{**question.facts, **pack.assumes} if"),
    Mutation(ENGINE, "        while at < last:\n            later = at", "        while at <= last:\n            later = at"),
    Mutation(ENGINE, 'return channel in closed or "all" in closed', "return channel in closed"),
    Mutation(ENGINE, "any(item in lacks or (says is not None", "any((says is not None"),
    # holidays, and whom a rule binds
    Mutation(DAYS, "if not calendar.country or any(_names(entry, day) for entry in calendar.drop):", "if not calendar.country:"),
    Mutation(DAYS, "for year in (day.year, day.year - 1)", "for year in (day.year,)"),
    Mutation(DAYS, "(entry.until is not None and day > entry.until)", "(entry.until is not None and day >= entry.until)"),
    Mutation(DAYS, "given.date() if given.tzinfo is None else local_date_of(given, zone)", "given.date()"),
    Mutation(BASE, "late <= binds.days_past_due_over", "late < binds.days_past_due_over"),
    Mutation(BASE, "if party not in binds.party or debtor not in binds.debtor:", "if party not in binds.party:"),
    Mutation(BASE, "and not any(holds(condition, facts) for condition in self.unless)", ""),
    Mutation(BASE, "return wanted in value", "return wanted == value"),
    # house and law together
    Mutation(CONTACTABLE, "        if lawful == at:", "        if lawful >= at:"),
    Mutation(CONTACTABLE, "ends = max(asked, wish.law.closes(asked, ends))", "ends = ends"),
    Mutation(CONTACTABLE, "if span.start <= asked < span.end:", "if span.start < asked < span.end:"),
    Mutation(CONTACTABLE, "return (asked, wish.budget.clear_until(asked, ends)) if asked < last else None", "return asked, ends"),
    Mutation(CONTACTABLE, "if wish.budget.full_on(day) or closed(", "if closed("),
    Mutation(CONTACTABLE, "at = wish.budget.clear_from(max(span.start, asked))", "at = max(span.start, asked)"),
    Mutation(CONTACTABLE, "return best if best is not None and best[0] < last else None", "return best"),
    Mutation(CONTACTABLE, "    day = today - _ONE_DAY\n    best", "    day = today + _ONE_DAY\n    best"),
)  # fmt: skip


def caught(mutation: Mutation, home: Path) -> tuple[bool, str]:
    """Whether the quick tests fail with the mistake in this copy of the tree, and the name of the first that does."""
    path = home / mutation.file
    whole = path.read_text(encoding="utf-8")
    path.write_text(whole.replace(mutation.old, mutation.new), encoding="utf-8")
    try:
        told = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--no-header", "--tb=no", *QUICK_TESTS],
            cwd=home, env={**os.environ, "PUNTUAL_SHRINK": "no", "PYTHONDONTWRITEBYTECODE": "1"}, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
    finally:
        path.write_text(whole, encoding="utf-8")
    failed = [line.split(" ", 1)[1].split(" - ")[0] for line in told.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return told.returncode == 1, failed[0].split("tests/policies/")[-1] if failed else told.stdout[-200:]


def copy_of(folder: Path) -> Path:
    """The tree that the quick tests need."""
    for name in _COPIED:
        shutil.copytree(PROJECT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in PROJECT.glob("*"):
        if path.suffix in (".py", ".toml"):
            shutil.copy(path, folder / path.name)
    for room in ("ledger", "channels", "messages", "activities", "workflows", "api", "rehearsal"):
        (folder / room).symlink_to(PROJECT / room)
    return folder


def main() -> int:
    """Plant each in turn and print what became of it; 1 where one passed the tests, or where they fail without any."""
    parser = argparse.ArgumentParser(prog="make mutations", description="Plant mistakes and see whether the tests notice.")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("only", nargs="*", type=int, help="numbers of mutations, counted from 0; all when none is given")
    asked = parser.parse_args()
    console, began = Console(width=160, highlight=False), monotonic()
    with tempfile.TemporaryDirectory(prefix="puntual-mutations-") as scratch:
        homes: SimpleQueue[Path] = SimpleQueue()
        for number in range(asked.processes):
            home = Path(scratch) / str(number)
            home.mkdir()
            homes.put(copy_of(home))

        def plant(number: int | None) -> tuple[bool, str]:
            home = homes.get()
            try:
                return caught(Mutation(BASE, "", "") if number is None else MUTATIONS[number], home)
            finally:
                homes.put(home)

        if plant(None)[0]:
            console.print("[bold red]the quick tests fail without any mistake[/]: mend them first")
            return 1
        numbers = asked.only or range(len(MUTATIONS))
        survived = 0
        with ThreadPoolExecutor(asked.processes) as pool:
            for number, (noticed, by) in zip(numbers, pool.map(plant, numbers), strict=True):
                mutation = MUTATIONS[number]
                survived += not noticed
                mark = "caught  " if noticed else "[bold red]SURVIVED[/]"
                line = mutation.old.strip().splitlines()[0]
                console.print(f"{number:3} {mark} {mutation.file.removeprefix('policies/'):16} ", end="")
                console.print(f"{line[:70]} | {by}", markup=False)
    console.print(f"{len(numbers) - survived} of {len(numbers)} mistakes caught in {monotonic() - began:.0f} s")
    return 1 if survived else 0


if __name__ == "__main__":
    raise SystemExit(main())
