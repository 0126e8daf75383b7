"""What one vantage saw on one edge, and the same of statements."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, isnan, nan

import numpy as np

from snowshed.schemas.records import Vantage
from snowshed.streams.edges.columns import NUMBERS, TimingColumns
from snowshed.streams.edges.losses import Report
from snowshed.streams.statements import StatementRows, StatementTally, tallied

__all__ = ["Tally", "merged", "reports_by_callee", "statement_tallies"]

_ATTEMPTS, _OK, _REJECTED, _SECONDS = map(NUMBERS.index, ("attempts", "ok", "rejected", "latency_sum"))


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


def statement_tallies(columns: TimingColumns) -> dict[str, list[StatementTally]]:
    """The rows of a batch by statement, of callees whose callers name their statements."""
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


def reports_by_callee(columns: TimingColumns) -> dict[str, list[Report]]:
    """What a batch's messages say of their reporters; a message without sound times says nothing."""
    calls = np.bincount(columns.message_of_row, columns.values[_ATTEMPTS], len(columns.callees)).tolist()
    found: dict[str, list[Report]] = {}
    for callee, reporter, vantage, start, window, lost, count in zip(
        columns.callees,
        columns.reporters,
        columns.vantages,
        columns.starts,
        columns.windows,
        columns.lost,
        calls,
        strict=True,
    ):
        if isfinite(start + window + lost):
            report = Report(reporter, vantage is Vantage.CALLER, start, window, lost, count)
            found.setdefault(callee, []).append(report)
    return found


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
        reporters=one.reporters if one.reporters == other.reporters else _union(one.reporters, other.reporters),
        buckets=tuple(buckets),
        counts=tuple([counts[bucket] for bucket in buckets]),
        hits=one.hits if isnan(other.hits) else other.hits if isnan(one.hits) else one.hits + other.hits,
    )


def _union(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted({*one, *other}))
