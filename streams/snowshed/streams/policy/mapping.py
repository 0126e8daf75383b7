"""Nested tables to frozen dataclasses, by the dataclasses' own annotations; all mistakes are found at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from difflib import get_close_matches
from enum import Enum
from functools import cache
from math import isfinite
from types import MappingProxyType, NoneType, UnionType
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

from snowshed.schemas.errors import ConfigurationError
from snowshed.schemas.toml_positions import Path

__all__ = ["Problem", "build", "dotted", "read"]

T = TypeVar("T")

_NOTHING = object()


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong."""

    path: Path
    what: str
    """Follows the key in a sentence: what was found and what is allowed."""

    def __str__(self) -> str:
        return f"{dotted(self.path)} {self.what}"


def dotted(path: Path) -> str:
    """The full key as people write it."""
    return "policy" + "".join(part if part.startswith("[") else f".{part}" for part in path)


def build(kind: type[T], table: object) -> T:
    """Make a `kind` from a table with its field names as keys.

    Raises:
        ConfigurationError: naming every dotted key that is unknown or has a wrong value.
    """
    value, problems = read(kind, table)
    if problems:
        raise ConfigurationError("; ".join(map(str, problems)))
    return value


def read(kind: type[T], table: object) -> tuple[T, tuple[Problem, ...]]:
    """A `kind` from a table, with defaults in place of what is wrong, and all that is wrong."""
    reader = _Reader()
    found = reader.table(kind, table, ())
    return cast("T", kind() if found is _NOTHING else found), tuple(reader.problems)


@cache
def _hints(kind: Any) -> Mapping[str, Any]:
    return get_type_hints(kind)


class _Reader:
    """Reads values and notes what is wrong with them; what is wrong comes to nothing."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def table(self, kind: type[Any], table: object, path: Path) -> object:
        if not isinstance(table, Mapping):
            return self._wrong(path, f"must be a table, not {table!r}")
        entries, hints = cast("Mapping[str, object]", table), _hints(cast("Any", kind))
        known = [item.name for item in fields(kind)]
        found: dict[str, object] = {}
        for key, value in entries.items():
            if key not in known:
                self._wrong((*path, key), _unknown(key, known))
            elif (item := self._value(hints[key], value, (*path, key))) is not _NOTHING:
                found[key] = item
        return kind(**found)

    def _wrong(self, path: Path, what: str) -> object:
        self.problems.append(Problem(path, what))
        return _NOTHING

    def _value(self, hint: Any, value: object, path: Path) -> object:
        origin, arguments = get_origin(hint), get_args(hint)
        if origin is UnionType:
            (hint,) = (argument for argument in arguments if argument is not NoneType)
            return self._value(hint, value, path)
        if origin is Mapping:
            return self._named(arguments[1], value, path)
        if origin is tuple:
            return self._list(arguments[0], value, path)
        if is_dataclass(hint):
            return self.table(cast("type[object]", hint), value, path)
        return self._scalar(hint, value, path)

    def _named(self, hint: Any, value: object, path: Path) -> object:
        if not isinstance(value, Mapping):
            return self._wrong(path, f"must be a table, not {value!r}")
        entries = cast("Mapping[str, object]", value)
        read_in = {key: self._value(hint, item, (*path, key)) for key, item in entries.items()}
        return MappingProxyType({key: item for key, item in read_in.items() if item is not _NOTHING})

    def _list(self, hint: Any, value: object, path: Path) -> object:
        if not isinstance(value, list | tuple):
            return self._wrong(path, f"must be a list, not {value!r}")
        items = enumerate(cast("list[object]", value))
        read_in = [self._value(hint, item, (*path, f"[{number}]")) for number, item in items]
        return _NOTHING if _NOTHING in read_in else tuple(read_in)

    def _scalar(self, hint: Any, value: object, path: Path) -> object:
        if isinstance(hint, type) and issubclass(hint, Enum):
            return self._symbol(hint, value, path)
        if hint in {int, float}:
            return self._number(hint, value, path)
        if not isinstance(value, hint):
            return self._wrong(path, f"must be {_NAMES[hint]}, not {value!r}")
        return value

    def _symbol(self, hint: type[Enum], value: object, path: Path) -> object:
        try:
            return hint(value)
        except ValueError:
            allowed = [str(symbol.value) for symbol in hint]
            listed = ", ".join(map(repr, allowed))
            return self._wrong(path, f"must be one of {listed}, not {value!r}{_meant(value, allowed)}")

    def _number(self, hint: type[int | float], value: object, path: Path) -> object:
        accepted = isinstance(value, int | float) if hint is float else isinstance(value, int)
        if not accepted or isinstance(value, bool):
            return self._wrong(path, f"must be a {'whole ' if hint is int else ''}number, not {value!r}")
        number = cast("int | float", value)
        if not isfinite(number) or number < 0:
            return self._wrong(path, f"must be finite and not negative, not {value!r}")
        return hint(number)


_NAMES: Mapping[Any, str] = MappingProxyType({bool: "true or false", str: "a string in quotes"})


def _unknown(key: str, known: list[str]) -> str:
    return f"is not a setting{_meant(key, known) or '; known here are ' + ', '.join(known)}"


def _meant(given: object, known: list[str]) -> str:
    near = get_close_matches(str(given), known, n=1)
    return f": did you mean {near[0]}?" if near else ""
