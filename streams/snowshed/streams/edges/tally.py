"""Rows summed by edge and vantage: the work of a whole batch in a few numpy calls."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import isnan, nan

import numpy as np
from numpy.typing import NDArray

from snowshed.schemas.records import Vantage
from snowshed.schemas.sketch import BUCKETS, value_of
from snowshed.streams.edges.columns import NUMBERS, TimingColumns
from snowshed.streams.statements import StatementRows, StatementTally, tallied

__all__ = ["Tally", "merged", "quantile", "statement_tallies", "tallies"]

_SUMMED = ("first", "attempts", "ok", "error_local", "error_downstream", "rejected", "timeout", "queue_delay_sum")
_PEAKS = ("in_flight_max", "queue_delay_max")
_SUM_ROWS = [NUMBERS.index(name) for name in _SUMMED]
_ATTEMPTS, _OK, _REJECTED, _SECONDS = map(NUMBERS.index, ("attempts", "ok", "rejected", "latency_sum"))
_PEAK_ROWS = [NUMBERS.index(name) for name in _PEAKS]

_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Tally:
    """What one vantage saw on one edge since the window opened."""

    caller: str
    vantage: Vantage
    sums: tuple[float, ...]
    """first, attempts, ok, error_local, error_downstream, rejected, timeout, queue_delay_sum."""
    peaks: tuple[float, ...]
    """in_flight_max, queue_delay_max."""
    covered: float
    """Seconds reported, summed over the reporters."""
    reporters: tuple[str, ...]
    buckets: tuple[int, ...]
    """Latency buckets in use, ascending, and beside them their counts."""
    counts: tuple[float, ...]
    hits: float = nan
    """Requests that a cache answered; NaN where nobody counts them."""


def tallies(columns: TimingColumns) -> dict[str, list[Tally]]:
    """The batch's tallies by callee, each list by caller and vantage."""
    if not columns.message_of_row.size:
        return {}
    kinds = list(dict.fromkeys(zip(columns.callees, columns.vantages, strict=True)))
    number = {kind: index for index, kind in enumerate(kinds)}
    kind_of_message = np.array([number[kind] for kind in zip(columns.callees, columns.vantages, strict=True)])
    callers = len(columns.callers)
    codes, group_of_row = np.unique(
        kind_of_message[columns.message_of_row] * callers + columns.caller_of_row, return_inverse=True
    )
    groups = len(codes)
    sums = [np.bincount(group_of_row, columns.values[row], groups) for row in _SUM_ROWS]
    peaks = _peaks(columns.values[_PEAK_ROWS], group_of_row, groups)
    covered, reporters = _coverage(columns, group_of_row, groups)
    latencies = _latencies(columns, group_of_row, groups)
    hits = _hits(columns.hits, group_of_row, groups)
    sums_of, peaks_of = np.array(sums).T.tolist(), peaks.T.tolist()
    found: dict[str, list[Tally]] = {}
    for group, code in enumerate(codes.tolist()):
        kind, caller = divmod(int(code), callers)
        callee, vantage = kinds[kind]
        tally = Tally(
            caller=columns.callers[caller],
            vantage=vantage,
            sums=tuple(sums_of[group]),
            peaks=tuple(peaks_of[group]),
            covered=covered[group],
            reporters=tuple(sorted(reporters[group])),
            buckets=latencies[group][0],
            counts=latencies[group][1],
            hits=hits[group],
        )
        found.setdefault(callee, []).append(tally)
    return found


def statement_tallies(columns: TimingColumns) -> dict[str, list[StatementTally]]:
    """The same by statement, of callees whose callers name their statements."""
    if not columns.statements:
        return {}
    rows = StatementRows(
        callees=columns.callees,
        vantages=columns.vantages,
        names=columns.statements,
        statement_of_row=columns.statement_of_row,
        message_of_row=columns.message_of_row,
        calls=columns.values[_ATTEMPTS],
        ok=columns.values[_OK],
        rejected=columns.values[_REJECTED],
        seconds=columns.values[_SECONDS],
        row_of_bucket=columns.row_of_bucket,
        buckets=columns.buckets,
        counts=columns.counts,
    )
    return tallied(rows)


def merged(one: Tally, other: Tally) -> Tally:
    """Both tallies of one edge and vantage as one."""
    counts = dict(zip(one.buckets, one.counts, strict=True))
    for bucket, count in zip(other.buckets, other.counts, strict=True):
        counts[bucket] = counts.get(bucket, 0.0) + count
    buckets = sorted(counts)
    return Tally(
        caller=one.caller,
        vantage=one.vantage,
        sums=tuple([a + b for a, b in zip(one.sums, other.sums, strict=True)]),
        peaks=tuple(map(max, one.peaks, other.peaks)),
        covered=one.covered + other.covered,
        reporters=tuple(sorted({*one.reporters, *other.reporters})),
        buckets=tuple(buckets),
        counts=tuple([counts[bucket] for bucket in buckets]),
        hits=one.hits if isnan(other.hits) else other.hits if isnan(one.hits) else one.hits + other.hits,
    )


def quantile(tally: Tally, q: float) -> float:
    """Latency in seconds that the fraction `q` of calls lies at or below, to the sketch's error; NaN without calls."""
    rank = q * (sum(tally.counts) - 1.0)
    if rank < 0.0:
        return nan
    passed = 0.0
    for bucket, count in zip(tally.buckets, tally.counts, strict=True):
        passed += count
        if passed > rank:
            return value_of(bucket)
    return value_of(tally.buckets[-1])


def _hits(values: _Floats, group_of_row: NDArray[np.int64], groups: int) -> list[float]:
    if not values.size:
        return [nan] * groups
    counted = ~np.isnan(values)
    sums = np.bincount(group_of_row[counted], values[counted], groups)
    sums[np.bincount(group_of_row[counted], minlength=groups) == 0] = nan
    found: list[float] = sums.tolist()
    return found


def _peaks(values: _Floats, group_of_row: NDArray[np.int64], groups: int) -> _Floats:
    order = np.argsort(group_of_row, kind="stable")
    starts = np.searchsorted(group_of_row[order], np.arange(groups))
    return np.maximum.reduceat(values[:, order], starts, axis=1)


def _coverage(
    columns: TimingColumns, group_of_row: NDArray[np.int64], groups: int
) -> tuple[list[float], list[set[str]]]:
    covered = [0.0] * groups
    reporters: list[set[str]] = [set() for _ in range(groups)]
    messages = len(columns.windows)
    for pair in np.unique(group_of_row * messages + columns.message_of_row).tolist():
        group, message = divmod(int(pair), messages)
        covered[group] += columns.windows[message]
        reporters[group].add(columns.reporters[message])
    return covered, reporters


def _latencies(
    columns: TimingColumns, group_of_row: NDArray[np.int64], groups: int
) -> list[tuple[tuple[int, ...], tuple[float, ...]]]:
    codes = group_of_row[columns.row_of_bucket] * BUCKETS + columns.buckets
    totals = np.bincount(codes, columns.counts, groups * BUCKETS)
    used = np.flatnonzero(totals)
    counts = tuple(totals[used].tolist())
    buckets = tuple((used % BUCKETS).tolist())
    cuts = np.searchsorted(used, np.arange(groups + 1) * BUCKETS).tolist()
    return [(buckets[start:end], counts[start:end]) for start, end in pairwise(cuts)]
