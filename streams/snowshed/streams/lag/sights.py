"""From what a replica showed at two looks to delays of writes: every marker row is a write whose time is known.

A row counts as seen at the first look that shows it or a newer one, so a delay is up to one poll period too long. Rows
between two that are remembered were written evenly between them. Where nobody looked for long, because the reader and
not the replica was away, or because looks were lost, nothing is known of the time between: the rows of then count as
not seen at the look before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from snowshed.streams.lag.histogram import Bins, bin_of, merged
from snowshed.streams.lag.servers import Replica, Source

__all__ = ["outstanding", "sighted"]

_PARTS = 16
"""Points that stand for all the rows between two that are remembered."""

Row = tuple[float, float]
"""(version, written_at)"""


def sighted(source: Source | None, before: Replica, after: Replica, *, shift: float, patience: float) -> Bins:
    """The delays of the rows that `after` shows and `before` did not.

    Args:
        source: the writer of the rows.
        before: the replica at the look before.
        after: the replica now.
        shift: the reader's clock minus the writer's.
        patience: seconds between two looks after which what happened between is unknown.
    """
    if after.writer != before.writer or after.version <= before.version:
        return ()
    known = _between(source, before.version, after.version)
    rows = _rows([(before.version, before.written_at), *known, (after.version, after.written_at)])
    if after.seen_at - before.seen_at > patience or after.losses.at > before.losses.at:
        ages = ((before.seen_at - written - shift, weight) for written, weight in rows)
        return merged((bin_of(age), 0.0, weight) for age, weight in ages if age > 0.0)
    return merged((bin_of(after.seen_at - written - shift), weight, 0.0) for written, weight in rows)


def outstanding(source: Source | None, replica: Replica, *, shift: float) -> Bins:
    """The rows known to be written that the replica did not show at its last look, with their ages then."""
    if source is None:
        return ()
    rows = _rows([(replica.version, replica.written_at), *_between(source, replica.version, float("inf"))])
    ages = ((replica.seen_at - written - shift, weight) for written, weight in rows)
    return merged((bin_of(age), 0.0, weight) for age, weight in ages if age > 0.0)


def _between(source: Source | None, low: float, high: float) -> list[Row]:
    return [row for row in source.history if low < row[0] < high] if source else []


def _rows(anchors: Sequence[Row]) -> Iterator[tuple[float, float]]:
    """When rows were written and how many, for all rows after the first anchor."""
    for (first, begun), (last, ended) in pairwise(anchors):
        count = last - first
        parts = max(1, min(round(count), _PARTS))
        for part in range(1, parts + 1):
            yield begun + (ended - begun) * part / parts, count / parts
