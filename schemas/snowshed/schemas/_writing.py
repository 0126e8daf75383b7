"""An Avro writer for flat records, made once per schema: values go straight into bytes, runs of numbers in one step.

A record is flat where it has no unions and no records within, as those have that are written by the thousand. The bytes
are fastavro's, at a fraction of the time: it takes a dictionary and writes number by number. A value that does not fit
makes the writer raise, and is left to fastavro to judge. Specification: Apache Avro 1.12, "Binary encoding".
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

__all__ = ["UNFIT", "flat_writer"]

UNFIT = (TypeError, ValueError, OverflowError, AttributeError, KeyError, struct.error)
"""What a writer raises for a value that does not fit."""

_Write = Callable[[Any], bytes]
_FIXED = {"double": "d", "float": "f"}
_SHORTS = 1024
"""Whole numbers from 0 whose bytes are kept ready, as most lengths and indexes are such."""
_LEAST, _MOST = -(1 << 63), (1 << 63) - 1


def flat_writer(schema: dict[str, Any]) -> _Write | None:
    """A function from a dataclass's instance to its bytes, None where the schema is not flat.

    Args:
        schema: a parsed JSON schema of a record.
    """
    fields = [(str(field["name"]), field["type"]) for field in schema["fields"]]
    steps: list[tuple[slice | int, _Write]] = []
    for fixed, run in groupby(enumerate(fields), key=_is_fixed):
        places = list(run)
        if fixed:
            layout = "<" + "".join(_FIXED[kind] for _, (_, kind) in places)
            steps.append((slice(places[0][0], places[-1][0] + 1), _numbers(layout)))
            continue
        for place, (_, kind) in places:
            step = _step(kind)
            if step is None:
                return None
            steps.append((place, step))
    return _joined(attrgetter(*(name for name, _ in fields)), steps) if len(fields) > 1 else None


def _is_fixed(field: tuple[int, tuple[str, Any]]) -> bool:
    kind = field[1][1]
    return isinstance(kind, str) and kind in _FIXED


def _joined(get: Callable[[Any], tuple[Any, ...]], steps: Sequence[tuple[slice | int, _Write]]) -> _Write:
    def write(record: Any) -> bytes:
        values = get(record)
        return b"".join([step(values[place]) for place, step in steps])

    return write


def _step(kind: Any) -> _Write | None:
    """The writer of one field that is not a plain number."""
    if isinstance(kind, str):
        return _PRIMITIVES.get(kind)
    if isinstance(kind, list):
        return None
    if kind["type"] == "enum":
        return _enum({symbol: _long(number) for number, symbol in enumerate(kind["symbols"])})
    if kind["type"] == "array":
        items = kind["items"]
        return _strings if items == "string" else _array(_FIXED[items]) if items in ("float", "double") else None
    return None


def _numbers(layout: str) -> _Write:
    pack = struct.Struct(layout).pack
    return lambda values: pack(*values)


def _enum(numbers: dict[str, bytes]) -> _Write:
    return lambda member: numbers[member.value]


def _array(code: str) -> _Write:
    def write(values: Sequence[float]) -> bytes:
        return b"%b%b\0" % (_long(len(values)), struct.pack(f"<{len(values)}{code}", *values)) if values else b"\0"

    return write


def _strings(values: Sequence[str]) -> bytes:
    return b"%b%b\0" % (_long(len(values)), b"".join(map(_string, values))) if values else b"\0"


def _string(text: str) -> bytes:
    raw = text.encode()
    size = len(raw)
    return (_SHORT[size] if size < _SHORTS else _varint(size)) + raw


def _boolean(value: object) -> bytes:
    return b"\1" if value else b"\0"


def _long(value: int) -> bytes:
    if 0 <= value < _SHORTS:
        return _SHORT[value]
    if not _LEAST <= value <= _MOST:
        raise OverflowError(value)
    return _varint(value)


def _varint(value: int) -> bytes:
    rest = value << 1 ^ value >> 63
    found = bytearray()
    while rest > 0x7F:
        found.append(rest & 0x7F | 0x80)
        rest >>= 7
    found.append(rest)
    return bytes(found)


_SHORT = [_varint(value) for value in range(_SHORTS)]
_PRIMITIVES: dict[str, _Write] = {"string": _string, "boolean": _boolean, "long": _long}
