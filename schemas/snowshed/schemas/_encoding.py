"""Frozen dataclasses to the dictionaries that fastavro writes, by plans made once per class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from enum import Enum
from operator import attrgetter
from types import NoneType
from typing import Any, cast, get_args, get_origin, get_type_hints

__all__ = ["Convert", "dumper"]

Convert = Callable[[Any], Any]


def dumper(record: type) -> Convert:
    """A function from an instance of this dataclass to the dictionary of its fields."""
    hints = get_type_hints(record)
    names = tuple(field.name for field in fields(record))
    planned = ((name, _plan(hints[name])) for name in names)
    conversions = tuple((name, convert) for name, convert in planned if convert)
    get = attrgetter(*names)

    def dump(value: Any) -> dict[str, Any]:
        row = dict(zip(names, get(value), strict=True))
        for name, convert in conversions:
            row[name] = convert(row[name])
        return row

    return dump


def _plan(hint: Any) -> Convert | None:
    """What has to be done to a value of this type, None if fastavro takes it as it is."""
    arguments = get_args(hint)
    if get_origin(hint) is tuple:
        item = _plan(arguments[0])
        return _each(item) if item else None
    if NoneType in arguments:
        inner = _plan(arguments[0])
        return _unless_none(inner) if inner else None
    if is_dataclass(hint):
        return dumper(cast("type", hint))
    return attrgetter("value") if issubclass(hint, Enum) else None


def _each(convert: Convert) -> Convert:
    return lambda items: [convert(item) for item in items]


def _unless_none(convert: Convert) -> Convert:
    return lambda value: None if value is None else convert(value)
