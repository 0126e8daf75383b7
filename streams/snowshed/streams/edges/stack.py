"""Timing batches put end to end, checked all at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from snowshed.schemas.sketch import BUCKETS
from snowshed.streams.edges.layout import COLUMNS, Layout
from snowshed.streams.edges.statements import Table
from snowshed.streams.folding import Message

__all__ = ["Stack", "Taken", "is_sound", "named_callers", "stacked"]

_CALLER, _IN_FLIGHT, _ENDS = map(COLUMNS.index, ("caller", "in_flight_max", "latency_end"))
_FIRST = COLUMNS.index("first")

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]


class Taken(NamedTuple):
    """One message as it was read."""

    message: Message
    layout: Layout
    table: Table


@dataclass(frozen=True, slots=True, eq=False)
class Stack:
    """Batches end to end; calls in flight that a reporter could not count are 0."""

    taken: Sequence[Taken]
    message_of_row: _Ints
    values: _Floats
    """Shape (`len(COLUMNS)`, rows)."""
    lengths: _Ints
    """Latency buckets of each row; negative where a batch makes no sense."""
    buckets: _Floats
    counts: _Floats
    whole: bool
    """Whether the latency buckets of each batch are those of its rows."""


def stacked(taken: Sequence[Taken]) -> Stack:
    """The batches end to end."""
    layouts = [one.layout for one in taken]
    rows = np.array([layout.values.shape[1] for layout in layouts], np.int64)
    values = _joined([layout.values for layout in layouts], (len(COLUMNS), 0))
    values[_IN_FLIGHT, np.isnan(values[_IN_FLIGHT])] = 0.0
    ends = np.nan_to_num(values[_ENDS], nan=-1.0, posinf=-1.0, neginf=-1.0)
    last = np.cumsum(rows)
    before = np.append(0.0, ends)[:-1]
    before[(last - rows)[rows > 0]] = 0.0
    whole = np.where(rows > 0, np.append(ends, 0.0)[last - 1], 0.0)
    return Stack(
        taken,
        np.repeat(np.arange(len(rows)), rows),
        values,
        (ends - before).astype(np.int64),
        _joined([layout.buckets for layout in layouts], (0,)),
        _joined([layout.counts for layout in layouts], (0,)),
        bool((whole == [layout.buckets.size for layout in layouts]).all()),
    )


def is_sound(stack: Stack) -> bool:
    """Whether no number is negative or not finite or points outside its table."""
    strings = np.array([len(one.table.strings) for one in stack.taken], np.float64)
    hits = [one.layout.hits for one in stack.taken if one.layout.hits.size]
    return (
        all(0.0 < one.layout.window < inf for one in stack.taken)
        and _counts(stack.values)
        and bool((stack.values[_CALLER] < strings[stack.message_of_row]).all())
        and _counts(stack.buckets)
        and bool((stack.buckets < BUCKETS).all())
        and _counts(stack.counts)
        and all(_counts(one) for one in hits)
        and bool((stack.lengths >= 0).all())
        and stack.whole
    )


def named_callers(stack: Stack) -> tuple[tuple[str, ...], _Ints]:
    """The names of all callers, without duplicates, and the index of each row's."""
    tables: dict[int, int] = {}
    of_message = np.array([tables.setdefault(id(one.table), len(tables)) for one in stack.taken], np.int64)
    known = {id(one.table): one.table.strings for one in stack.taken}
    strings = [known[number] for number in tables]
    longest = max(map(len, strings), default=1) or 1
    codes = of_message[stack.message_of_row] * longest + stack.values[_CALLER].astype(np.int64)
    found, first, of_row = np.unique(codes, return_index=True, return_inverse=True)
    numbers: dict[str, int] = {}
    mapping = np.zeros(len(found), np.int64)
    for place in np.argsort(first).tolist():
        table, index = divmod(int(found[place]), longest)
        mapping[place] = numbers.setdefault(strings[table][index], len(numbers))
    return tuple(numbers), mapping[of_row]


def _counts(values: NDArray[np.floating]) -> bool:
    """Whether all of them are finite and none is negative."""
    return values.size == 0 or (bool(values.min() >= 0.0) and bool(values.max() < inf))


def _joined(parts: Sequence[NDArray[np.float32]], empty: tuple[int, ...]) -> _Floats:
    return np.concatenate(parts, axis=-1, dtype=np.float64) if parts else np.empty(empty)
