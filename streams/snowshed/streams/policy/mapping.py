"""Nested tables to frozen dataclasses, by the dataclasses' own annotations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from math import isfinite
from types import MappingProxyType, NoneType, UnionType
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

from snowshed.schemas.errors import ConfigurationError

__all__ = ["build"]

T = TypeVar("T")


@cache
def _hints(kind: Any) -> Mapping[str, Any]:
    return get_type_hints(kind)


def build(kind: type[T], table: object, where: str) -> T:
    """Make a `kind` from a table with its field names as keys.

    Raises:
        ConfigurationError: naming the dotted key that is unknown or has a wrong value.
    """
    if not isinstance(table, Mapping):
        raise ConfigurationError(f"{where} must be a table, not {table!r}")
    entries = cast("Mapping[str, object]", table)
    known = [item.name for item in fields(cast("Any", kind))]
    for key in entries:
        if key not in known:
            raise ConfigurationError(f"{where}.{key} is not a setting; known here are {', '.join(known)}")
    hints = _hints(cast("Any", kind))
    return kind(**{key: _value(hints[key], value, f"{where}.{key}") for key, value in entries.items()})


def _value(hint: Any, value: object, where: str) -> object:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is UnionType:
        (hint,) = (argument for argument in arguments if argument is not NoneType)
        return _value(hint, value, where)
    if origin is Mapping:
        return _table(arguments[1], value, where)
    if origin is tuple:
        return _list(arguments[0], value, where)
    if is_dataclass(hint):
        return build(cast("type[object]", hint), value, where)
    return _scalar(hint, value, where)


def _table(hint: Any, value: object, where: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise ConfigurationError(f"{where} must be a table, not {value!r}")
    entries = cast("Mapping[str, object]", value)
    return MappingProxyType({key: _value(hint, item, f"{where}.{key}") for key, item in entries.items()})


def _list(hint: Any, value: object, where: str) -> tuple[object, ...]:
    if not isinstance(value, list | tuple):
        raise ConfigurationError(f"{where} must be a list, not {value!r}")
    items = cast("list[object]", value)
    return tuple(_value(hint, item, f"{where}[{index}]") for index, item in enumerate(items))


def _scalar(hint: Any, value: object, where: str) -> object:
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _symbol(hint, value, where)
    if hint in {int, float}:
        return _number(hint, value, where)
    if not isinstance(value, hint):
        raise ConfigurationError(f"{where} must be a {hint.__name__}, not {value!r}")
    return value


def _symbol(hint: type[Enum], value: object, where: str) -> Enum:
    try:
        return hint(value)
    except ValueError:
        accepted = ", ".join(repr(symbol.value) for symbol in hint)
        raise ConfigurationError(f"{where} must be one of {accepted}, not {value!r}") from None


def _number(hint: type[int | float], value: object, where: str) -> int | float:
    accepted = isinstance(value, int | float) if hint is float else isinstance(value, int)
    if not accepted or isinstance(value, bool):
        raise ConfigurationError(f"{where} must be a number, not {value!r}")
    number = cast("int | float", value)
    if not isfinite(number) or number < 0:
        raise ConfigurationError(f"{where} must be finite and not negative, not {value!r}")
    return hint(number)
