"""The collections manual: read from YAML with errors that point at the line, and merged over its levels (F15, F16)."""

from __future__ import annotations

import difflib
import json
import sys
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Literal, NamedTuple, get_args, get_origin

from pydantic import BaseModel, ValidationError

from policies.manual_checks import findings
from policies.manual_model import (
    WEEKDAYS,
    Agency,
    Band,
    Cap,
    Consequence,
    LateCharges,
    Limits,
    Manual,
    Offer,
    Pauses,
    PromiseRules,
    Repeat,
    Rung,
    RungDay,
    Weekday,
    parse_day,
    parse_time,
    parse_window,
)
from policies.messages import MESSAGES
from policies.yaml_lines import Document, Loc, read_yaml

__all__ = [
    "BUILTIN", "WEEKDAYS", "Agency", "Band", "Cap", "Consequence", "LateCharges", "Limits", "Manual", "ManualError", "Offer",
    "Pauses", "PromiseRules", "Repeat", "Resolved", "Rung", "RungDay", "Weekday", "builtin_manual", "load_manual",
    "manual_schema", "parse_day", "parse_time", "parse_window", "resolve",
]  # fmt: skip

BUILTIN = ("b2b_corporate", "b2b_sme", "b2c_credit", "b2c_subscription", "unlimited", "weekly")
"""The manuals that come with the product, by name."""
Level = Literal["creditor", "account", "invoice"]
_TEXT_MAX = 1_000_000


class ManualError(ValueError):
    """A manual that cannot be used. `problems` holds one `source:line: field: what is wrong, what to do` for each."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = list(problems)


class Resolved(NamedTuple):
    """The manual in force for one invoice, and for each key the level that said it last."""

    manual: Manual
    origin: dict[str, Level]
    """Top-level keys, and below them a dotted path for each thing a patch changed: `limits.gap_hours`, `ladder.S5`."""


def load_manual(text: str, source: str, *, templates: Collection[str] | None = MESSAGES) -> Manual:
    """Read a manual. `source` is its file name, for the errors; `templates` the message names there are, if known.

    Raises ManualError with every problem found, each with its line.
    """
    if len(text) > _TEXT_MAX:
        raise ManualError([f"{source}:1: manual: the manual is larger than {_TEXT_MAX} characters; split it"])
    document = read_yaml(text)
    problems = [f"{source}:{line}: {_path(loc)}: {message}" for line, loc, message in document.problems]
    if document.data is None or not isinstance(document.data, dict):
        raise ManualError(problems or [f"{source}:1: manual: a manual is a mapping; begin with name:, version: and ladder:"])
    try:
        manual = Manual.model_validate(document.data)
    except ValidationError as error:
        problems += [_located(document, source, loc, message) for loc, message in _explained(error)]
        raise ManualError(_by_line(problems)) from None
    problems += [_located(document, source, loc, message) for loc, message in findings(manual, templates)]
    if problems:
        raise ManualError(_by_line(problems))
    return manual


@cache
def builtin_manual(name: str) -> Manual:
    """A manual that comes with the product; raises KeyError with the names there are."""
    if name not in BUILTIN:
        raise KeyError(f"there is no manual {name!r}: there are {', '.join(BUILTIN)}")
    file = files("policies").joinpath("manuals", f"{name}.yaml")
    return load_manual(file.read_text(encoding="utf-8"), f"{name}.yaml")


def manual_schema() -> dict[str, Any]:
    """The JSON Schema of a manual, for editors; published as policies/manual.schema.json."""
    schema = Manual.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Puntual collections manual"}


def resolve(
    creditor: Manual | Mapping[str, Any],
    account_patch: Mapping[str, Any] | None = None,
    invoice_patch: Mapping[str, Any] | None = None,
) -> Resolved:
    """Merge the levels, invoice over account over creditor (F16).

    A patch names only what differs: mappings merge key by key, the ladder by rung id (a new rung takes its place by day, and
    `{rung: S5, remove: true}` takes one out), every other list or value replaces. Raises ManualError, without lines.
    """
    base = creditor.model_dump(mode="json") if isinstance(creditor, Manual) else dict(creditor)
    origin: dict[str, Level] = dict.fromkeys(Manual.model_fields, "creditor")
    merged: dict[str, Any] = base
    levels: tuple[tuple[Level, Mapping[str, Any] | None], ...] = (("account", account_patch), ("invoice", invoice_patch))
    for level, patch in levels:
        if patch:
            merged = _patched(merged, patch, level, origin)
    try:
        manual = Manual.model_validate(merged)
    except ValidationError as error:
        raise ManualError([_unlocated(origin, loc, message) for loc, message in _explained(error)]) from None
    if account_patch or invoice_patch or not isinstance(creditor, Manual):
        problems = [_unlocated(origin, loc, message) for loc, message in findings(manual)]
        if problems:
            raise ManualError(problems)
    return Resolved(manual, origin)


def _patched(base: dict[str, Any], patch: Mapping[str, Any], level: Level, origin: dict[str, Level]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in patch.items():
        origin[key] = level
        if key == "ladder" and isinstance(value, list):
            merged[key] = _patched_ladder(list(base.get("ladder", ())), value, level, origin)
        else:
            merged[key] = _merged(base.get(key), value, key, level, origin)
    return merged


def _merged(base: Any, value: Any, path: str, level: Level, origin: dict[str, Level]) -> Any:
    if not isinstance(base, Mapping) or not isinstance(value, Mapping):
        return value
    merged = dict(base)
    for key, inner in value.items():
        here = f"{path}.{key}"
        origin[here] = level
        merged[key] = _merged(base.get(key), inner, here, level, origin)
    return merged


def _patched_ladder(ladder: list[Any], changes: list[Any], level: Level, origin: dict[str, Level]) -> list[Any]:
    for change in changes:
        if not isinstance(change, Mapping) or not isinstance(change.get("rung"), str):
            raise ManualError([f"{level} level: ladder: each change needs rung: with the id it changes or adds"])
        rung_id = change["rung"]
        origin[f"ladder.{rung_id}"] = level
        rest = {key: value for key, value in change.items() if key != "remove"}
        at = next((i for i, rung in enumerate(ladder) if rung.get("rung") == rung_id), None)
        if change.get("remove"):
            if at is None:
                raise ManualError([f"{level} level: ladder: there is no rung {rung_id} to remove"])
            del ladder[at]
        elif at is None:
            ladder.insert(_place_by_day(ladder, rest.get("day")), rest)
        else:
            ladder[at] = {**ladder[at], **rest}
    return ladder


def _place_by_day(ladder: list[Any], day: Any) -> int:
    """Before the first rung of the same anchor that is later; else before a closing decision, else at the end."""
    try:
        new = parse_day(str(day))
        for index, rung in enumerate(ladder):
            other = parse_day(str(rung.get("day")))
            if other.anchor == new.anchor and other.days > new.days:
                return index
    except ValueError:
        return len(ladder)  # the bad day is reported by the schema, with its place
    return len(ladder) - 1 if ladder and ladder[-1].get("action") == "decision" else len(ladder)


def _path(loc: Loc) -> str:
    if not loc:
        return "manual"
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _located(document: Document, source: str, loc: Loc, message: str) -> str:
    rung = document.data["ladder"][loc[1]].get("rung") if loc[:1] == ("ladder",) and _is_rung(document.data, loc) else None
    path = _path(loc)
    return f"{source}:{document.line_of(loc)}: {path}{f' (rung {rung})' if rung and 'rung ' not in message else ''}: {message}"


def _is_rung(data: Any, loc: Loc) -> bool:
    ladder = data.get("ladder")
    return len(loc) > 1 and isinstance(loc[1], int) and isinstance(ladder, list) and isinstance(ladder[loc[1]], dict)


def _by_line(problems: list[str]) -> list[str]:
    def line(problem: str) -> int:
        number = problem.split(": ", 1)[0].rsplit(":", 1)[-1]
        return int(number) if number.isdigit() else 0

    return sorted(dict.fromkeys(problems), key=line)


def _unlocated(origin: Mapping[str, Level], loc: Loc, message: str) -> str:
    level = origin.get(str(loc[0]), "creditor") if loc else "creditor"
    return f"{level} level: {_path(loc)}: {message}"


def _explained(error: ValidationError) -> list[tuple[Loc, str]]:
    found: list[tuple[Loc, str]] = []
    for detail in error.errors(include_url=False):
        loc: Loc = tuple(part for part in detail["loc"] if part != "[key]")
        if detail["type"] == "too_short" and detail["input"]:
            continue  # there are items, each with its own error
        found.append((loc, _sentence(detail["type"], loc, detail)))
    return found


def _sentence(kind: str, loc: Loc, detail: Any) -> str:
    if kind == "missing":
        return "is missing; add it" + (" (a repeat without an end is not allowed)" if loc[-2:] == ("repeat", "at_most") else "")
    if kind == "extra_forbidden":
        names = _fields_at(loc[:-1])
        near = difflib.get_close_matches(str(loc[-1]), names, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}" if names else "leave it out"
        return f"is not a field here; {hint}"
    if kind in ("enum", "literal_error"):
        return f"{detail['input']!r} is not known; use {detail['ctx']['expected']}"
    if kind == "too_short":
        return "is empty; it needs at least one"
    if kind == "value_error":
        return str(detail["ctx"]["error"])
    message = str(detail["msg"])
    return f"{message[:1].lower()}{message[1:]}, not {detail['input']!r}"


def _fields_at(loc: Loc) -> list[str]:
    """The field names of the model at a place of the manual."""
    here: Any = Manual
    for part in loc:
        here = _step_into(here, part)
    here = _model_in(here)
    return list(here.model_fields) if here is not None else []


def _step_into(annotation: Any, part: str | int) -> Any:
    model = _model_in(annotation)
    if isinstance(part, str) and model is not None and part in model.model_fields:
        return model.model_fields[part].annotation
    return annotation


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if get_origin(annotation) is not None:
        return next((m for m in map(_model_in, get_args(annotation)) if m is not None), None)
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


if __name__ == "__main__":  # pragma: no cover - prints the schema to publish
    sys.stdout.write(json.dumps(manual_schema(), indent=2, ensure_ascii=False) + "\n")
