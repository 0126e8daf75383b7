"""A policy's settings in words: what each means, in what unit, where its default comes from."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cache
from itertools import pairwise
from typing import Any, cast, get_args, get_type_hints

from snowshed.schemas.toml_positions import Path
from snowshed.streams.policy import Policy

__all__ = ["Meaning", "meaning", "shown"]

_MARK = re.compile(r"\s*\[([^\]]*)\]\.$")
_UNIT = re.compile(
    r"(?P<s>(?:Most )?[Ss]econds|Time|Length|Life|Sliding span|(?:Short|Long)est (?:clean )?time)\b"
    r"|(?P<ratio>Share|Relative drift)\b"
)
_SECONDS = frozenset(
    {
        "edges.queue_delay",
        "health.minimum_deviation",
        "lag.silent_margin",
        "lag.unknown_round_trip",
        "overload.queue_delay",
    }
)
"""Settings whose sentence begins with something else."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a setting's own documentation says."""

    text: str
    unit: str
    """`s`, `ratio`, or empty where the text says it."""
    source: str
    """The mark of its default: F published, F2 published but second-hand, P our own choice, S from simulation."""


_NOTHING = Meaning("", "", "")


def meaning(path: Path) -> Meaning:
    """What the setting of a key means."""
    kind: Any = Policy
    for number, part in enumerate(path):
        hint = get_type_hints(kind).get(part)
        if is_dataclass(hint):
            kind = hint
        elif (named := _named(hint)) is not None and len(path) > number + 2:
            return _meanings(named).get(path[number + 2], _NOTHING)
        else:
            found = _meanings(kind).get(part, _NOTHING)
            return replace(found, unit="s") if ".".join(path) in _SECONDS else found
    return _NOTHING


def shown(value: object) -> str:
    """A value as a policy file has it."""
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(map(shown, cast('tuple[object, ...]', value)))}]"
    return f'"{value}"' if isinstance(value, str) else f"{value:g}"


def _named(hint: Any) -> Any:
    """The kind of a table's entries where the table has names of its own."""
    arguments: tuple[Any, ...] = get_args(hint)
    return arguments[1] if len(arguments) > 1 and is_dataclass(arguments[1]) else None


@cache
def _meanings(kind: Any) -> Mapping[str, Meaning]:
    tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    known = {item.name for item in fields(kind)}
    return {name: _read(text) for name, text in _documented(tree) if name in known}


def _documented(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Each attribute that a string follows, with the string."""
    [definition] = tree.body
    body = definition.body if isinstance(definition, ast.ClassDef) else []
    for statement, following in pairwise(body):
        match statement, following:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, " ".join(text.split())
            case _:
                pass


def _read(text: str) -> Meaning:
    mark, unit = _MARK.search(text), _UNIT.match(text)
    return Meaning(
        text=f"{text[: mark.start()]}." if mark else text,
        unit="" if unit is None else str(unit.lastgroup),
        source=mark[1] if mark else "",
    )
