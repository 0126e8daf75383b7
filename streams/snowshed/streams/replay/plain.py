"""Records in clear: what a recording holds that people and other tools are to read.

A field at its default is left out, a number that is not known is null, an infinite one is `"inf"`, an enum stands by
its value, bytes in base64. Numbers keep every digit: a record read again is the one that was written.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from math import isinf, isnan, nan
from types import NoneType
from typing import Any, cast, get_args, get_type_hints

from snowshed.schemas.catalogue import RECORD_TYPES
from snowshed.schemas.errors import ConfigurationError
from snowshed.schemas.records import Record

__all__ = ["from_plain", "to_plain"]

_SCALARS: Mapping[Any, Callable[[Any], Any]] = {
    float: lambda value: nan if value is None else float(value),
    bytes: lambda value: b64decode(value, validate=True),
}
_HINTS: dict[type[Any], dict[str, Any]] = {}
_EXACT = 2.0**53
"""Whole numbers below this are written without a point, which JSON readers then keep exactly."""
_KINDS: Mapping[str, type[Record]] = {kind.__name__: kind for kind in RECORD_TYPES}


def to_plain(record: Any) -> dict[str, Any]:
    """A record's fields by name."""
    found = ((field.name, field.default, getattr(record, field.name)) for field in fields(record))
    return {name: _field(value, default) for name, default, value in found if not _same(value, default)}


def from_plain(kind: str, row: Mapping[str, Any]) -> Record:
    """The record of a kind with these fields.

    Raises:
        ConfigurationError: the kind or a field is not known, or one is missing or of another type.
    """
    if kind not in _KINDS:
        raise ConfigurationError(f"there is no record {kind!r}; there are {', '.join(sorted(_KINDS))}")
    try:
        return cast("Record", _built(_KINDS[kind], row))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigurationError(f"this is no {kind}: {type(error).__name__} {error}") from error


def _field(value: object, default: object) -> Any:
    plain = _plain(value)
    # Where null stands for nothing at all, a number that is not known has to be told from it.
    return "nan" if plain is None and default is None else plain


def _plain(value: object) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, tuple):
        return [_plain(each) for each in cast("tuple[object, ...]", value)]
    return to_plain(value) if is_dataclass(value) else value


def _number(value: float) -> float | str | None:
    if isnan(value):
        return None
    if isinf(value):
        return str(value)
    is_whole = value.is_integer() and abs(value) < _EXACT and repr(value) != "-0.0"
    return int(value) if is_whole else value


def _same(value: object, default: object) -> bool:
    # By their text, in which NaN is NaN and minus zero is not zero.
    return default is not MISSING and repr(value) == repr(default)


def _built(kind: type[Any], row: Mapping[str, Any]) -> Any:
    hints = _HINTS.get(kind) or _HINTS.setdefault(kind, get_type_hints(kind))
    return kind(**{name: _value(hints[name], value) for name, value in row.items()})


def _value(hint: Any, value: object) -> Any:
    if hint in _SCALARS:
        return _SCALARS[hint](value)
    if NoneType in get_args(hint):
        return None if value is None else _value(get_args(hint)[0], value)
    if is_dataclass(hint):
        return _built(cast("type[Any]", hint), cast("Mapping[str, Any]", value))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint(value)
    if isinstance(value, list):
        inner = get_args(hint)[0]
        return tuple(_value(inner, each) for each in cast("Sequence[object]", value))
    return value
