"""When the records of a partition were appended, from looks at its end: an interval, never an extrapolation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

__all__ = ["Appended", "End", "appended", "looked"]

_KEPT = 64


@dataclass(frozen=True, slots=True)
class End:
    """An end of the log and the looks that found it."""

    offset: int
    first: float
    """When the first look that found it had its answer."""
    last: float
    """When the last look that found it was asked for."""


class Appended(NamedTuple):
    """When the record at an offset was appended: not before `low`, not after `high`, about at `guess`."""

    low: float
    guess: float
    high: float


def looked(ends: tuple[End, ...], offset: int, *, asked: float, answered: float) -> tuple[End, ...]:
    """The ends after one more look; a log that became shorter was made anew, and what was known of it is void."""
    if not ends or offset < ends[-1].offset:
        return (End(offset, answered, asked),)
    if asked < ends[-1].last:
        return ends
    if offset == ends[-1].offset:
        return (*ends[:-1], End(offset, ends[-1].first, asked))
    return _thinned((*ends, End(offset, answered, asked)))


def appended(ends: Sequence[End], offset: int) -> Appended | None:
    """When the record at `offset` was appended; None if the log did not reach that far at the last look.

    The record came after the last look that found an end at or below it, and before the first that found one above.
    Within that gap its place among the gap's records tells. For a record older than all looks only `high` is known.
    """
    before: End | None = None
    for end in ends:
        if end.offset > offset:
            return _between(before, end, offset)
        before = end
    return None


def _between(before: End | None, after: End, offset: int) -> Appended:
    if before is None:
        return Appended(-inf, after.first, after.first)
    part = (offset + 1 - before.offset) / (after.offset - before.offset)
    return Appended(before.last, before.last + part * (after.first - before.last), after.first)


def _thinned(ends: tuple[End, ...]) -> tuple[End, ...]:
    """Fewer ends in the older half: intervals there become wider and stay true."""
    if len(ends) <= _KEPT:
        return ends
    half = _KEPT // 2
    return ends[:half:2] + ends[half:]
