"""Lines of one invoice number, each with its own due date, are the instalments of one invoice (cuotas, duplicatas, 1/3)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from typing import TypeVar

from policies.carried import CarriedIn
from policies.intake import Problem, Unreadable
from policies.intake_model import InstalmentIn, InvoiceIn

_Row = TypeVar("_Row")


def together(rows: Iterable[_Row], number_of: Callable[[_Row], str]) -> list[_Row]:
    """The rows in their order, but those of one number behind the first of it; a row without a number stays where it is."""
    groups: dict[object, list[_Row]] = {}
    for at, row in enumerate(rows):
        groups.setdefault(number_of(row) or at, []).append(row)
    return [row for group in groups.values() for row in group]


def groups_of(rows: Sequence[_Row], number_of: Callable[[_Row], str]) -> list[list[_Row]]:
    """Rows that stand together and have one number, as groups; a row without a number is a group of its own."""
    found: list[list[_Row]] = []
    before = ""
    for row in rows:
        number = number_of(row)
        if number and number == before:
            found[-1].append(row)
        else:
            found.append([row])
        before = number
    return found


def are_instalments(rows: Sequence[InvoiceIn]) -> bool:
    """Whether rows of one number are its instalments: each with a due date that no other has."""
    days = {row.due_on for row in rows}
    return len(rows) > 1 and None not in days and len(days) == len(rows) and not any(row.instalments for row in rows)


def as_one(rows: Sequence[InvoiceIn]) -> InvoiceIn:
    """The rows as one invoice, its instalments in the order of their dates; raises Unreadable when they contradict each other."""
    first = rows[0]
    for member in ("currency", "replaces", "place_of_payment"):
        if len({getattr(row, member) for row in rows}) > 1:
            raise Unreadable(
                [Problem(f"/{member}", "the rows of this invoice number do not agree: give each invoice its own number")]
            )
    if len({row.account.ref for row in rows}) > 1:
        raise Unreadable(
            [Problem("/ref", "this invoice number stands under several customers: give each invoice its own number")]
        )
    parts = sorted(rows, key=lambda row: row.due_on or date.max)
    dues = tuple(
        InstalmentIn(number=at, due_on=row.due_on, amount_minor=row.amount_minor)
        for at, row in enumerate(parts, 1)
        if row.due_on is not None and row.amount_minor is not None
    )
    return first.model_copy(
        update={
            "issued_on": min(row.issued_on for row in rows), "due_on": None, "amount_minor": None, "instalments": dues,
            "carried": _carried(rows), "deductions": tuple(one for row in rows for one in row.deductions),
        }
    )  # fmt: skip


def _carried(rows: Sequence[InvoiceIn]) -> CarriedIn | None:
    """What came over with the rows, of the invoice as a whole: open balances add up, the rest is the first row's that says it."""
    told = [row.carried for row in rows if row.carried is not None]
    if not told:
        return None
    open_minor = sum(_open(row) for row in rows)
    given = {name: value for one in reversed(told) for name, value in one.model_dump(exclude_defaults=True).items()}
    settled = [one.settled_on for one in told if one.settled_on is not None]
    given.pop("settled_on", None)
    given.pop("balance_minor", None)
    if open_minor == 0 and settled:
        given["settled_on"] = max(settled)
    elif open_minor < sum(row.amount_minor or 0 for row in rows):
        given["balance_minor"] = open_minor
    return CarriedIn.model_validate(given) if given else None


def _open(row: InvoiceIn) -> int:
    if row.carried is not None and row.carried.settled_on is not None:
        return 0
    if row.carried is not None and row.carried.balance_minor is not None:
        return row.carried.balance_minor
    return row.amount_minor or 0
