"""Random records of every class, for property tests."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from enum import Enum
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from snowshed.schemas.catalogue import RECORD_TYPES
from snowshed.schemas.records import Record

__all__ = ["any_record", "same"]

_SCALARS: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(max_size=80),
    bytes: st.binary(max_size=80),
    int: st.integers(-(2**63), 2**63 - 1),
    float: st.floats(),
    bool: st.booleans(),
}


def any_record(record: type[Any] | None = None) -> st.SearchStrategy[Record]:
    """Instances of one record class, or of any."""
    return _instances(record) if record else st.one_of([_instances(kind) for kind in RECORD_TYPES])


def same(one: object, other: object) -> bool:
    """Whether two records are equal field by field, NaN being equal to NaN."""
    return repr(one) == repr(other)


def _instances(record: type[Any]) -> st.SearchStrategy[Any]:
    hints = get_type_hints(record)
    return st.builds(record, **{field.name: _values(hints[field.name]) for field in fields(record)})


def _values(hint: Any) -> st.SearchStrategy[Any]:
    arguments = get_args(hint)
    if get_origin(hint) is tuple:
        # Columns of numbers are 32 bits wide on the wire.
        item = st.floats(width=32) if arguments[0] is float else _values(arguments[0])
        return st.lists(item, max_size=4).map(tuple)
    if NoneType in arguments:
        return st.none() | _values(arguments[0])
    if is_dataclass(hint):
        return _instances(hint)  # type: ignore[arg-type]
    return st.sampled_from(hint) if issubclass(hint, Enum) else _SCALARS[hint]
