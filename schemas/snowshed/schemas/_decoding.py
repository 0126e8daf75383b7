"""A strict Avro reader, made once per schema: bytes go straight into dataclasses, runs of numbers in one step.

fastavro trusts its input where it matters here (a negative enum or union index counts from the end of the list) and
builds a dictionary and a list for everything. This reader checks every length and index against the bytes that are
there, so damaged input costs no more than its own size. It knows the types that Snowshed's schemas use.
Specification: Apache Avro 1.12, "Binary encoding".
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import is_dataclass
from enum import Enum
from itertools import groupby
from typing import Any, NamedTuple, cast, get_args, get_type_hints

__all__ = ["Read", "named_types", "reader"]

Read = Callable[[bytes, int, list[Any]], int]
"""Reads a value at an offset, appends it to a list and gives the offset after it.

Raises EOFError, IndexError or struct.error where the bytes end too early, ValueError where they break the schema.
"""

_FIXED = {"double": "d", "float": "f"}
_MAX_VARINT_BITS = 63


class _Field(NamedTuple):
    name: str
    type: Any


def reader(schema: str | list[Any] | dict[str, Any], types: Mapping[str, type]) -> Read:
    """A reader for one schema.

    Args:
        schema: a parsed JSON schema; raises NotImplementedError for Avro types that no record of ours uses.
        types: dataclass or enum for each of the schema's record and enum names; the others become dictionaries and
            strings.
    """
    if isinstance(schema, list):
        return _union([reader(branch, types) for branch in schema])
    if isinstance(schema, str):
        return _primitive(schema)
    match schema["type"]:
        case "record":
            return _record(schema, types)
        case "enum":
            return _enum(schema, types)
        case "array":
            return _array(schema["items"], types)
        case name:
            return reader(name, types)


def named_types(root: type) -> dict[str, type]:
    """This dataclass and every dataclass and enum its fields use, by class name."""
    found = {root.__name__: root}
    for hint in get_type_hints(root).values():
        for part in (hint, *get_args(hint)):
            if is_dataclass(part):
                found |= named_types(cast("type", part))
            elif isinstance(part, type) and issubclass(part, Enum):
                found[part.__name__] = part
    return found


def _primitive(name: str) -> Read:
    if name in _FIXED:
        return _numbers(_FIXED[name])
    try:
        return _PRIMITIVES[name]
    except KeyError:
        raise NotImplementedError(f"Avro type {name!r}") from None


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    byte = raw[at]
    if byte < 0x80:
        return byte >> 1 ^ -(byte & 1), at + 1
    value = shift = 0
    while byte >= 0x80:
        value |= (byte & 0x7F) << shift
        shift += 7
        at += 1
        byte = raw[at]
        if shift > _MAX_VARINT_BITS or (shift == _MAX_VARINT_BITS and byte > 1):
            raise ValueError("a number has more than 64 bits")
    value |= byte << shift
    return value >> 1 ^ -(value & 1), at + 1


def _null(_raw: bytes, at: int, values: list[Any]) -> int:
    values.append(None)
    return at


def _boolean(raw: bytes, at: int, values: list[Any]) -> int:
    if raw[at] > 1:
        raise ValueError(f"a boolean is {raw[at]}, neither 0 nor 1")
    values.append(raw[at] == 1)
    return at + 1


def _long(raw: bytes, at: int, values: list[Any]) -> int:
    value, at = _varint(raw, at)
    values.append(value)
    return at


def _slice(raw: bytes, at: int) -> tuple[bytes, int]:
    size, at = _varint(raw, at)
    end = at + size
    if size < 0:
        raise ValueError(f"a length is {size}")
    if end > len(raw):
        raise EOFError
    return raw[at:end], end


def _bytes(raw: bytes, at: int, values: list[Any]) -> int:
    value, at = _slice(raw, at)
    values.append(value)
    return at


def _string(raw: bytes, at: int, values: list[Any]) -> int:
    size = raw[at]
    end = at + 1 + (size >> 1)
    if size & 0x81 or end > len(raw):  # 64 bytes or more, or damaged
        value, end = _slice(raw, at)
        values.append(value.decode())
    else:
        values.append(raw[at + 1 : end].decode())
    return end


_PRIMITIVES: dict[str, Read] = {
    "null": _null,
    "boolean": _boolean,
    "long": _long,
    "bytes": _bytes,
    "string": _string,
}


def _numbers(codes: str) -> Read:
    layout = struct.Struct("<" + codes)
    unpack, size = layout.unpack_from, layout.size

    def read(raw: bytes, at: int, values: list[Any]) -> int:
        values.extend(unpack(raw, at))
        return at + size

    return read


def _union(branches: Sequence[Read]) -> Read:
    def read(raw: bytes, at: int, values: list[Any]) -> int:
        index, at = _varint(raw, at)
        return branches[_within(index, branches)](raw, at, values)

    return read


def _enum(schema: Any, types: Mapping[str, type]) -> Read:
    member: Callable[[str], Any] = types.get(_simple_name(schema), str)
    members = [member(symbol) for symbol in schema["symbols"]]

    def read(raw: bytes, at: int, values: list[Any]) -> int:
        index, at = _varint(raw, at)
        values.append(members[_within(index, members)])
        return at

    return read


def _within(index: int, choices: Sequence[Any]) -> int:
    if not 0 <= index < len(choices):
        raise ValueError(f"a choice is {index}, outside 0 to {len(choices) - 1}")
    return index


def _record(schema: Any, types: Mapping[str, type]) -> Read:
    fields = [_Field(field["name"], field["type"]) for field in schema["fields"]]
    names = [field.name for field in fields]
    make: Callable[..., Any] = types.get(_simple_name(schema), dict)
    steps = _steps(fields, types)

    def read(raw: bytes, at: int, values: list[Any]) -> int:
        own: list[Any] = []
        for step in steps:
            at = step(raw, at, own)
        values.append(make(**dict(zip(names, own, strict=True))))
        return at

    return read


def _steps(fields: Sequence[_Field], types: Mapping[str, type]) -> tuple[Read, ...]:
    """One reader per field, but only one for each run of fixed-width numbers."""
    steps: list[Read] = []
    for fixed, run in groupby(fields, key=lambda field: isinstance(field.type, str) and field.type in _FIXED):
        if fixed:
            steps.append(_numbers("".join(_FIXED[field.type] for field in run)))
        else:
            steps.extend(reader(field.type, types) for field in run)
    return tuple(steps)


def _array(items: Any, types: Mapping[str, type]) -> Read:
    block = _number_block(_FIXED[items]) if isinstance(items, str) and items in _FIXED else _block(reader(items, types))

    def read(raw: bytes, at: int, values: list[Any]) -> int:
        own: list[Any] = []
        count, at = _varint(raw, at)
        while count:
            if count < 0:
                _, at = _varint(raw, at)  # the block's size, for those who want to skip it
                count = -count
            # Every item takes at least a byte, so no count may run ahead of the bytes that are there.
            if count > len(raw) - at:
                raise EOFError
            at = block(raw, at, own, count)
            count, at = _varint(raw, at)
        values.append(tuple(own))
        return at

    return read


def _number_block(code: str) -> Callable[[bytes, int, list[Any], int], int]:
    size = struct.calcsize("<" + code)

    def read(raw: bytes, at: int, values: list[Any], count: int) -> int:
        values.extend(struct.unpack_from(f"<{count}{code}", raw, at))
        return at + size * count

    return read


def _block(item: Read) -> Callable[[bytes, int, list[Any], int], int]:
    def read(raw: bytes, at: int, values: list[Any], count: int) -> int:
        for _ in range(count):
            at = item(raw, at, values)
        return at

    return read


def _simple_name(schema: Any) -> str:
    return str(schema["name"]).rpartition(".")[2]
