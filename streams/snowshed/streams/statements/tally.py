"""Rows summed by statement and vantage: the work of a whole batch in a few numpy calls."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import log, nan

import numpy as np
from numpy.typing import NDArray

from snowshed.schemas.records import Vantage
from snowshed.schemas.sketch import BUCKETS, value_of

__all__ = ["StatementRows", "StatementTally", "merged", "quantile", "tallied", "typical"]

_LOGS = [log(value_of(bucket)) for bucket in range(BUCKETS)]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class StatementRows:
    """The rows of some timing batches that have a fingerprint, and the latency buckets of all rows."""

    callees: tuple[str, ...]
    vantages: tuple[Vantage, ...]
    """By message, as `callees`."""
    names: tuple[tuple[str, str], ...]
    """Fingerprint and operation of each statement."""
    statement_of_row: _Ints
    """Index into `names`, -1 for a row without a fingerprint."""
    message_of_row: _Ints
    calls: _Floats
    ok: _Floats
    rejected: _Floats
    seconds: _Floats
    row_of_bucket: _Ints
    buckets: _Ints
    counts: _Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementTally:
    """What one vantage saw of one statement since the window opened."""

    statement: str
    operation: str
    vantage: Vantage
    calls: float
    failed: float
    seconds: float
    buckets: tuple[int, ...]
    """Latency buckets in use, ascending, and beside them their counts."""
    counts: tuple[float, ...]


def tallied(rows: StatementRows) -> dict[str, list[StatementTally]]:
    """The tallies by callee."""
    chosen = np.flatnonzero(rows.statement_of_row >= 0)
    kinds = list(dict.fromkeys(zip(rows.callees, rows.vantages, strict=True)))
    number = {kind: index for index, kind in enumerate(kinds)}
    kind_of_message = np.array([number[kind] for kind in zip(rows.callees, rows.vantages, strict=True)])
    names = len(rows.names)
    codes, group_of_chosen = np.unique(
        kind_of_message[rows.message_of_row[chosen]] * names + rows.statement_of_row[chosen], return_inverse=True
    )
    latencies = _latencies(rows, chosen, group_of_chosen, len(codes))
    # A brake's refusals never reached the database.
    columns = (rows.calls - rows.rejected, rows.calls - rows.rejected - rows.ok, rows.seconds)
    sums = np.array([np.bincount(group_of_chosen, column[chosen], len(codes)) for column in columns]).T.tolist()
    found: dict[str, list[StatementTally]] = {}
    for code, (calls, failed, seconds), (buckets, counts) in zip(codes.tolist(), sums, latencies, strict=True):
        kind, name = divmod(int(code), names)
        (callee, vantage), (statement, operation) = kinds[kind], rows.names[name]
        tally = StatementTally(
            statement=statement,
            operation=operation,
            vantage=vantage,
            calls=max(calls, 0.0),
            failed=max(failed, 0.0),
            seconds=seconds,
            buckets=buckets,
            counts=counts,
        )
        found.setdefault(callee, []).append(tally)
    return found


def merged(one: StatementTally, other: StatementTally) -> StatementTally:
    """Both tallies as one, in the name of the first."""
    counts = dict(zip(one.buckets, one.counts, strict=True))
    for bucket, count in zip(other.buckets, other.counts, strict=True):
        counts[bucket] = counts.get(bucket, 0.0) + count
    buckets = tuple(sorted(counts))
    return StatementTally(
        statement=one.statement,
        operation=one.operation,
        vantage=one.vantage,
        calls=one.calls + other.calls,
        failed=one.failed + other.failed,
        seconds=one.seconds + other.seconds,
        buckets=buckets,
        counts=tuple([counts[bucket] for bucket in buckets]),
    )


def quantile(tally: StatementTally, q: float) -> float:
    """Latency in seconds that the fraction `q` of calls lies at or below, to the sketch's error; NaN without calls."""
    rank = q * (sum(tally.counts) - 1.0)
    passed = 0.0
    for bucket, count in zip(tally.buckets, tally.counts, strict=True):
        passed += count
        if passed > rank:
            return value_of(bucket)
    return nan


def typical(tally: StatementTally) -> float:
    """The logarithm of the geometric mean of latency, which one slow call hardly moves; NaN without calls."""
    total = sum(tally.counts)
    if not total:
        return nan
    return sum(_LOGS[bucket] * count for bucket, count in zip(tally.buckets, tally.counts, strict=True)) / total


def _latencies(
    rows: StatementRows, chosen: _Ints, group_of_chosen: _Ints, groups: int
) -> list[tuple[tuple[int, ...], tuple[float, ...]]]:
    group_of_row = np.full(len(rows.statement_of_row), -1, np.int64)
    group_of_row[chosen] = group_of_chosen
    group = group_of_row[rows.row_of_bucket]
    used_here = group >= 0
    codes = group[used_here] * BUCKETS + rows.buckets[used_here]
    totals = np.bincount(codes, rows.counts[used_here], groups * BUCKETS)
    used = np.flatnonzero(totals)
    counts, buckets = tuple(totals[used].tolist()), tuple((used % BUCKETS).tolist())
    cuts = np.searchsorted(used, np.arange(groups + 1) * BUCKETS).tolist()
    return [(buckets[start:end], counts[start:end]) for start, end in pairwise(cuts)]
