"""YAML that remembers its lines: plain data, plus the line of each key and item, so that an error can point at it.

Only what JSON can say is read: no anchors, no tags, no 1.1 surprises (`10:30` stays text, `no` stays text, a date stays text).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

Loc = tuple[str | int, ...]


@dataclass
class Document:
    """The data of one YAML text, the 1-based line of every path in it, and what could not be read."""

    data: Any = None
    lines: dict[Loc, int] = field(default_factory=dict)
    problems: list[tuple[int, Loc, str]] = field(default_factory=list)

    def line_of(self, loc: Loc) -> int:
        """The line of `loc`, or of the nearest thing around it that was written down."""
        while loc and loc not in self.lines:
            loc = loc[:-1]
        return self.lines.get(loc, 1)


_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml reads the packs ten times as fast


class _Loader(_Base):  # type: ignore[misc]
    """SafeLoader without the implicit types of YAML 1.1: only null, true, false, integers and decimals."""

    yaml_implicit_resolvers: dict[str, Any] = {}


_SCALARS = (
    ("tag:yaml.org,2002:null", re.compile(r"^(?:~|null|)$"), ["~", "n", ""]),
    ("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), ["t", "f"]),
    ("tag:yaml.org,2002:int", re.compile(r"^[-+]?[0-9]+$"), list("-+0123456789")),
    ("tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+\.[0-9]+$"), list("-+0123456789")),
)
for _tag, _pattern, _first in _SCALARS:
    _Loader.add_implicit_resolver(_tag, _pattern, _first)


def read_yaml(text: str) -> Document:
    """Parse one document. Never raises for bad text: what is wrong stands in `problems` with its line."""
    document = Document()
    try:
        for event in yaml.parse(text, Loader=_Loader):
            if isinstance(event, yaml.AliasEvent):
                line = event.start_mark.line + 1 if event.start_mark else 1
                document.problems.append((line, (), "an alias (*name) is not read here; write the values out"))
                return document
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        document.problems.append((mark.line + 1 if mark else 1, (), f"not valid YAML: {error.problem}; check the indentation"))
        return document
    except yaml.YAMLError as error:
        document.problems.append((1, (), f"not valid YAML: {error}"))
        return document
    if node is not None:
        document.data = _plain(node, (), document)
    return document


def _plain(node: yaml.Node, loc: Loc, document: Document) -> Any:
    document.lines.setdefault(loc, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, loc, document)
    if isinstance(node, yaml.SequenceNode):
        items = []
        for index, item in enumerate(node.value):
            document.lines[(*loc, index)] = item.start_mark.line + 1
            items.append(_plain(item, (*loc, index), document))
        return items
    return _scalar(node)


def _mapping(node: yaml.MappingNode, loc: Loc, document: Document) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            document.problems.append((line, loc, "a key must be plain text"))
            continue
        key = str(key_node.value)
        here = (*loc, key)
        if key in found:
            first = document.lines[here]
            document.problems.append((line, here, f"stands twice (first on line {first}); keep one of them"))
            continue
        document.lines[here] = line
        found[key] = _plain(value_node, here, document)
    return found


def _scalar(node: yaml.Node) -> Any:
    text = str(node.value)
    kind = node.tag.rsplit(":", 1)[-1]
    if kind == "null":
        return None
    if kind == "bool":
        return text == "true"
    if kind == "int":
        return int(text)
    if kind == "float":
        return float(text)
    return text
