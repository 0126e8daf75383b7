"""Rows summed by edge and vantage, as columns: the work of a whole batch in a few numpy calls."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain, pairwise
from math import nan

import numpy as np
from numpy.typing import NDArray

from snowshed.schemas.records import Vantage
from snowshed.schemas.sketch import BUCKETS
from snowshed.streams.edges.columns import NUMBERS, TimingColumns
from snowshed.streams.edges.tally import Tally

__all__ = ["Groups", "grouped", "joined", "ranked", "regrouped"]

_SUMMED = ("first", "attempts", "ok", "error_local", "error_downstream", "rejected", "timeout", "queue_delay_sum")
_PEAKS = ("in_flight_max", "queue_delay_max")
_SUM_ROWS = [NUMBERS.index(name) for name in _SUMMED]
_PEAK_ROWS = [NUMBERS.index(name) for name in _PEAKS]
_ENDS = (Vantage.CALLEE, Vantage.CALLER)
"""In the order in which an edge's vantages stand."""
_DENSE = 16
"""Places for each latency bucket up to which a table of all of them is summed faster than they are sorted."""

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """What each vantage saw on each edge: one entry a group, by callee, caller and vantage."""

    callee: list[str]
    caller: list[str]
    by_caller: NDArray[np.bool_]
    """Whether the caller reported it, not the callee."""
    sums: _Floats
    """Shape (8, groups), as in `Tally.sums`."""
    peaks: _Floats
    """Shape (2, groups), as in `Tally.peaks`."""
    covered: _Floats
    reporters: list[tuple[str, ...]]
    lengths: _Ints
    """Latency buckets in use, which stand in `buckets` and `counts` one group after the other."""
    buckets: _Ints
    counts: _Floats
    hits: _Floats

    def __len__(self) -> int:
        return len(self.callee)

    def tallies(self) -> list[Tally]:
        """The groups one by one."""
        ends = np.cumsum(self.lengths).tolist()
        buckets, counts = tuple(self.buckets.tolist()), tuple(self.counts.tolist())
        rows = zip(
            self.caller,
            [_ENDS[one] for one in self.by_caller.tolist()],
            map(tuple, self.sums.T.tolist()),
            map(tuple, self.peaks.T.tolist()),
            self.covered.tolist(),
            self.reporters,
            [buckets[start:end] for start, end in pairwise([0, *ends])],
            [counts[start:end] for start, end in pairwise([0, *ends])],
            self.hits.tolist(),
            strict=True,
        )
        return [Tally(*row) for row in rows]

    def taken(self, chosen: Sequence[int]) -> Groups:
        """Some of the groups, in the order asked for."""
        lengths = self.lengths[chosen]
        before, kept = np.cumsum(self.lengths) - self.lengths, np.cumsum(lengths) - lengths
        places = np.repeat(before[chosen] - kept, lengths) + np.arange(int(lengths.sum()))
        return Groups(
            [self.callee[group] for group in chosen],
            [self.caller[group] for group in chosen],
            self.by_caller[chosen],
            self.sums[:, chosen],
            self.peaks[:, chosen],
            self.covered[chosen],
            [self.reporters[group] for group in chosen],
            lengths,
            self.buckets[places],
            self.counts[places],
            self.hits[chosen],
        )


def grouped(columns: TimingColumns) -> Groups:
    """The rows of a batch by group."""
    codes, of_row, names, callers = _coded(columns)
    groups = len(codes)
    covered, reporters = _coverage(columns, of_row, groups)
    lengths, buckets, counts = _latencies(columns, of_row, groups)
    kinds, numbers = np.divmod(codes >> 1, max(len(callers), 1))
    return Groups(
        callee=[names[kind] for kind in kinds.tolist()],
        caller=[callers[number] for number in numbers.tolist()],
        by_caller=(codes & 1).astype(np.bool_),
        sums=np.array([_added(columns.values[row], of_row, groups) for row in _SUM_ROWS]),
        peaks=_peaks(columns.values[_PEAK_ROWS], of_row, groups),
        covered=covered,
        reporters=reporters,
        lengths=lengths,
        buckets=buckets,
        counts=counts,
        hits=_hits(columns.hits, of_row, groups),
    )


def regrouped(tallies: Iterable[tuple[str, Tally]]) -> Groups:
    """Tallies with their callees as columns."""
    found = list(tallies)
    ones = [one for _, one in found]
    return Groups(
        callee=[callee for callee, _ in found],
        caller=[one.caller for one in ones],
        by_caller=np.array([one.vantage is Vantage.CALLER for one in ones], np.bool_),
        sums=np.array([one.sums for one in ones], np.float64).reshape(-1, len(_SUMMED)).T,
        peaks=np.array([one.peaks for one in ones], np.float64).reshape(-1, len(_PEAKS)).T,
        covered=np.array([one.covered for one in ones], np.float64),
        reporters=[one.reporters for one in ones],
        lengths=np.array([len(one.buckets) for one in ones], np.int64),
        buckets=np.array(list(chain.from_iterable(one.buckets for one in ones)), np.int64),
        counts=np.array(list(chain.from_iterable(one.counts for one in ones)), np.float64),
        hits=np.array([one.hits for one in ones], np.float64),
    )


def joined(one: Groups, other: Groups) -> Groups:
    """Both, by callee, where none has groups in both."""
    if not len(one) or not len(other):
        return one if len(one) else other
    both = Groups(
        one.callee + other.callee,
        one.caller + other.caller,
        np.concatenate((one.by_caller, other.by_caller)),
        np.concatenate((one.sums, other.sums), axis=1),
        np.concatenate((one.peaks, other.peaks), axis=1),
        np.concatenate((one.covered, other.covered)),
        one.reporters + other.reporters,
        np.concatenate((one.lengths, other.lengths)),
        np.concatenate((one.buckets, other.buckets)),
        np.concatenate((one.counts, other.counts)),
        np.concatenate((one.hits, other.hits)),
    )
    return both.taken(sorted(range(len(both)), key=both.callee.__getitem__))


def _coded(columns: TimingColumns) -> tuple[_Ints, _Ints, list[str], list[str]]:
    """A number for each group, in the groups' order, the group of each row, and the names of callees and callers."""
    names, callers = sorted(set(columns.callees)), sorted(columns.callers)
    kind, rank = (
        {name: 2 * number * len(callers) for number, name in enumerate(names)},
        {name: 2 * number for number, name in enumerate(callers)},
    )
    of_message = np.array(
        [
            kind[callee] + (vantage is Vantage.CALLER)
            for callee, vantage in zip(columns.callees, columns.vantages, strict=True)
        ],
        np.int64,
    )
    of_caller = np.array([rank[name] for name in columns.callers], np.int64)
    codes, of_row = np.unique(
        of_message[columns.message_of_row] + of_caller[columns.caller_of_row], return_inverse=True
    )
    return codes, of_row, names, callers


def _added(values: _Floats, of_value: _Ints, groups: int) -> _Floats:
    """Sums by group, each in the order of its values."""
    return np.bincount(of_value, values, groups).astype(np.float64, copy=False)


def _hits(values: _Floats, of_row: _Ints, groups: int) -> _Floats:
    if not values.size:
        return np.full(groups, nan)
    counted = ~np.isnan(values)
    sums = _added(values[counted], of_row[counted], groups)
    sums[np.bincount(of_row[counted], minlength=groups) == 0] = nan
    return sums


def _peaks(values: _Floats, of_row: _Ints, groups: int) -> _Floats:
    if not groups:
        return np.empty((len(_PEAKS), 0))
    order = np.argsort(of_row, kind="stable")
    starts = np.searchsorted(of_row[order], np.arange(groups))
    return np.maximum.reduceat(values[:, order], starts, axis=1)


def _coverage(columns: TimingColumns, of_row: _Ints, groups: int) -> tuple[_Floats, list[tuple[str, ...]]]:
    messages = max(len(columns.windows), 1)
    pairs: _Ints = np.unique(of_row * messages + columns.message_of_row)
    group, message = pairs // messages, pairs % messages
    covered = _added(np.array(columns.windows)[message], group, groups)
    if len(pairs) == groups:
        # One message a group, as where callers are few or report through one partition.
        alone: list[tuple[str, ...]] = [(name,) for name in columns.reporters]
        return covered, [alone[one] for one in message.tolist()]
    ends: list[int] = np.searchsorted(group, np.arange(groups + 1)).tolist()
    senders: list[int] = message.tolist()

    @cache  # for most edges into a callee are in the same messages
    def named(several: tuple[int, ...]) -> tuple[str, ...]:
        return tuple(sorted({columns.reporters[one] for one in several}))

    return covered, [named(tuple(senders[start:end])) for start, end in pairwise(ends)]


def _latencies(columns: TimingColumns, of_row: _Ints, groups: int) -> tuple[_Ints, _Ints, _Floats]:
    codes = of_row[columns.row_of_bucket] * BUCKETS + columns.buckets
    if groups * BUCKETS <= _DENSE * len(codes):
        totals = _added(columns.counts, codes, groups * BUCKETS)
        found = np.flatnonzero(totals)
        totals = totals[found]
    else:
        found, places = ranked(codes)
        totals = _added(columns.counts, places, len(found))
        found, totals = found[totals != 0.0], totals[totals != 0.0]
    group, buckets = np.divmod(found, BUCKETS)
    return np.bincount(group, minlength=groups).astype(np.int64, copy=False), buckets, totals


def ranked(codes: _Ints) -> tuple[_Ints, _Ints]:
    """As numpy's `unique` with its inverse, in a third of the time where codes ascend row by row, as buckets do."""
    order = np.argsort(codes, kind="stable")
    ordered = codes[order]
    opens = np.ones(len(codes), np.bool_)
    opens[1:] = ordered[1:] != ordered[:-1]
    places = np.empty(len(codes), np.int64)
    places[order] = np.cumsum(opens) - 1
    return ordered[opens], places
