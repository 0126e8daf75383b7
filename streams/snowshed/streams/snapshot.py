"""State values to bytes and back: JSON by the dataclasses' own annotations, so that every float returns exactly."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from enum import Enum
from functools import cache
from math import nan
from types import NoneType, UnionType
from typing import Any, Generic, TypeVar, cast, get_args, get_origin, get_type_hints

import orjson

__all__ = ["Snapshot"]

S = TypeVar("S")

Reader = Callable[[Any], Any]


class Snapshot(Generic[S]):
    """Dumps and loads frozen dataclasses of the given kinds; named tuples are read where earlier versions wrote those.

    A field added later needs a default, and then reads what earlier versions wrote; a field that is gone is skipped.
    JSON has no NaN: a float field reads it back from null. Infinities must not stand in a state.
    """

    def __init__(self, *kinds: type[S]) -> None:
        self._kinds = {kind.__name__: kind for kind in kinds}

    def dump(self, value: S) -> bytes:
        """The value's kind and fields as JSON."""
        return orjson.dumps((type(value).__name__, value))

    def load(self, raw: bytes) -> S:
        """The value that `dump` was given."""
        name, table = orjson.loads(raw)
        return cast("S", _reader(cast("Any", self._kinds[name]))(table))


@cache
def _reader(hint: Any) -> Reader:
    if hint is float:
        return _float
    if get_origin(hint) is tuple:
        return _tuple(get_args(hint))
    if get_origin(hint) is UnionType:
        return _optional(hint)
    if is_dataclass(hint) or hasattr(hint, "_fields"):
        return _fielded(cast("type[Any]", hint))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint
    return _same


def _float(value: Any) -> float:
    return nan if value is None else float(value)


def _same(value: Any) -> Any:
    return value


def _tuple(arguments: tuple[Any, ...]) -> Reader:
    if arguments[1:] == (Ellipsis,):
        item = _reader(arguments[0])
        return lambda value: tuple(map(item, value))
    items = tuple(map(_reader, arguments))
    return lambda value: tuple(read(part) for read, part in zip(items, value, strict=True))


def _optional(hint: Any) -> Reader:
    (argument,) = (argument for argument in get_args(hint) if argument is not NoneType)
    inner = _reader(argument)
    return lambda value: None if value is None else inner(value)


def _fielded(kind: type[Any]) -> Reader:
    readers: Mapping[str, Reader] = {name: _reader(hint) for name, hint in get_type_hints(kind).items()}
    return lambda table: kind(**{name: readers[name](value) for name, value in table.items() if name in readers})
