"""Reads a table of settings: every value is checked, a key that nobody asked for is told with what was likely meant.

What is wrong is told with its line, where the table was read from a text.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from enum import Enum
from math import inf
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar, cast

from snowshed.consumers.outward.secret import Secret
from snowshed.schemas import toml_positions
from snowshed.schemas.errors import ConfigurationError
from snowshed.schemas.toml_positions import Position

__all__ = ["SettingError", "Table", "parse_table", "read_table"]

E = TypeVar("E", bound=Enum)

_REQUIRED: Any = object()


class SettingError(ConfigurationError):
    """A key is missing or wrong; the message says where it stands."""


@dataclass(frozen=True, slots=True)
class _Place:
    """A key in a file."""

    name: str
    """Of the file."""
    places: Mapping[toml_positions.Path, Position] = field(default_factory=lambda: MappingProxyType({}))
    """Where the file's keys stand, as far as that is known."""
    path: toml_positions.Path = ()
    words: str = ""
    """The full key as people write it."""

    def __str__(self) -> str:
        file = toml_positions.located(self.name, toml_positions.nearest(self.path, self.places))
        return f"{file}: {self.words}" if self.words else file

    def key(self, key: str) -> _Place:
        return replace(self, path=(*self.path, key), words=f"{self.words}.{key}" if self.words else key)

    def item(self, number: int) -> _Place:
        return replace(self, path=(*self.path, f"[{number}]"), words=f"{self.words}[{number + 1}]")


class Table:
    """One table of a settings file.

    Args:
        values: its keys and values.
        where: the file's name, as errors name it.
    """

    def __init__(self, values: Mapping[str, object], where: str | _Place) -> None:
        self._place = where if isinstance(where, _Place) else _Place(where)
        self._values = values
        self._asked: set[str] = set()

    @property
    def where(self) -> str:
        """Its place in the file, as errors name it."""
        return str(self._place)

    def text(self, key: str, default: str = _REQUIRED) -> str:
        """A string that is not empty, unless the default is."""
        value = self._get(key, default)
        if not isinstance(value, str) or (not value and value is not default):
            raise self.wrong(key, f"must be a string, not {value!r}")
        return value

    def texts(self, key: str, default: Sequence[str] = _REQUIRED) -> tuple[str, ...]:
        """A list of strings; one string stands for a list of one."""
        value = self._get(key, default)
        items = [value] if isinstance(value, str) else value
        if not isinstance(items, (list, tuple)):
            raise self.wrong(key, f"must be a list of strings, not {value!r}")
        found = cast("Sequence[object]", items)
        if not all(isinstance(item, str) and item for item in found):
            raise self.wrong(key, f"must be a list of strings, not {value!r}")
        return tuple(cast("Sequence[str]", found))

    def number(self, key: str, default: float = _REQUIRED, *, low: float = 0.0, high: float = inf) -> float:
        """A number in a range."""
        value = self._get(key, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
            raise self.wrong(key, f"must be a number from {low:g} to {high:g}, not {value!r}")
        return float(value)

    def count(self, key: str, default: int = _REQUIRED, *, low: int = 0) -> int:
        """A whole number that is not below `low`."""
        value = self._get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or value < low:
            raise self.wrong(key, f"must be a whole number from {low} on, not {value!r}")
        return value

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        value = self._get(key, default)
        if not isinstance(value, bool):
            raise self.wrong(key, f"must be true or false, not {value!r}")
        return value

    def choice(self, key: str, kind: type[E], default: E = _REQUIRED) -> E:
        """One of an enum's values."""
        value = self._get(key, default)
        return value if isinstance(value, kind) else self._member(key, kind, value)

    def choices(self, key: str, kind: type[E]) -> frozenset[E]:
        """Some of an enum's values; none where the key is missing."""
        return frozenset(self._member(key, kind, value) for value in self.texts(key, ()))

    def secret_or_none(self, key: str) -> Secret | None:
        """A secret, or None where the key is missing."""
        self._asked.add(key)
        return self.secret(key) if key in self._values else None

    def secret(self, key: str) -> Secret:
        """A secret, named by `env:VARIABLE` or `file:PATH`."""
        name = self.text(key)
        try:
            return Secret.named(name)
        except ConfigurationError as error:
            raise self.wrong(key, str(error)) from None

    def table(self, key: str) -> Table:
        """A table inside; empty where it is missing."""
        value = self._get(key, {})
        if not isinstance(value, dict):
            raise self.wrong(key, f"must be a table, not {value!r}")
        return Table(cast("Mapping[str, object]", value), self._place.key(key))

    def names(self) -> tuple[str, ...]:
        """The keys that are there."""
        return tuple(self._values)

    def tables(self, key: str) -> Iterator[Table]:
        """The tables of a list `[[key]]`, in order."""
        value = self._get(key, [])
        if not isinstance(value, list):
            raise self.wrong(key, f"must be a list of tables [[{key}]]")
        for number, item in enumerate(cast("Sequence[object]", value)):
            if not isinstance(item, dict):
                raise self.wrong(key, f"must be a list of tables [[{key}]]")
            yield Table(cast("Mapping[str, object]", item), self._place.key(key).item(number))

    def named(self, key: str) -> Iterator[tuple[str, Table]]:
        """The tables of a table of tables `[key.NAME]`, with their names."""
        inside = self.table(key)
        for name in inside.names():
            yield name, inside.table(name)

    def done(self) -> None:
        """Refuse every key that nobody asked for.

        Raises:
            ConfigurationError: there is one.
        """
        for key in self._values:
            if key not in self._asked:
                close = get_close_matches(key, self._asked, 1)
                meant = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(sorted(self._asked))}"
                raise self.wrong(key, f"is unknown: {meant}")

    def wrong(self, key: str, what: str) -> SettingError:
        """The error that a key is wrong."""
        return SettingError(f"{self._place.key(key)} {what}")

    def _get(self, key: str, default: object) -> object:
        self._asked.add(key)
        value = self._values.get(key, default)
        if value is _REQUIRED:
            raise self.wrong(key, "is missing")
        return value

    def _member(self, key: str, kind: type[E], value: object) -> E:
        try:
            return kind(value)
        except ValueError:
            known = ", ".join(str(member.value) for member in kind)
            raise self.wrong(key, f"must be one of {known}, not {value!r}") from None


def read_table(path: Path) -> Table:
    """The table in a TOML file.

    Raises:
        ConfigurationError: the file cannot be read or is not TOML.
    """
    try:
        return parse_table(path.read_text("utf-8"), path.name)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}; name another file") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}; correct it") from error


def parse_table(text: str, name: str) -> Table:
    """The table in a text.

    Args:
        text: TOML.
        name: what errors call it.

    Raises:
        ConfigurationError: the text is not TOML.
    """
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{name} is not valid TOML: {error}; correct it") from error
    return Table(values, _Place(name, toml_positions.positions(text)))
