"""Staleness as an interval that holds the truth.

Let r be the time of a read on the reader's clock, w the time on the writer's clock at which the row it showed was
written, n the time on it by which the first newer row was known to be committed, ô = m_w − m_r the offset between the
clocks::

    high = (r − w) − ô + R_w + drift
    low  = max(0, (r − n) − ô − R_r − drift), or 0 while no newer row is known

The replica's state is that of a moment between w and n, so both ends hold whatever the writer's rhythm is; a rule that
takes n for w plus one row period would call a replica late whose source merely paused. Between reads the replica may
have caught up but cannot have gone back, so `high` grows with the clock and `low` stays as of the last read.
"""

from __future__ import annotations

from math import nan
from typing import NamedTuple

from snowshed.streams.clocks import Clock, offset
from snowshed.streams.lag.servers import Replica
from snowshed.streams.policy import LagPolicy

__all__ = ["UNKNOWN", "Staleness", "shift_between", "staleness"]


class Staleness(NamedTuple):
    """Seconds a replica is behind."""

    low: float
    """It was at least this stale at its last read."""
    high_at_read: float
    """It was at most this stale at its last read."""
    high: float
    """It is at most this stale now."""


UNKNOWN = Staleness(0.0, nan, nan)
"""Nothing is known: the clocks have not been compared yet."""


def staleness(
    replica: Replica, reader: Clock | None, writer: Clock | None, *, now: float, policy: LagPolicy
) -> Staleness:
    """The interval for a replica's newest marker."""
    newer = replica.newer
    if reader is None or writer is None:
        return UNKNOWN
    mine, theirs = offset(reader, policy), offset(writer, policy)
    age = replica.seen_at - replica.written_at
    late = 0.0 if newer is None else replica.seen_at - newer
    high = age
    if replica.node != replica.writer:
        shift = theirs.upper - mine.upper
        high = age - shift + theirs.error + policy.drift
        late -= shift + mine.error + policy.drift
    since_read = max(now - (replica.seen_at + mine.upper - mine.error), 0.0)
    low = 0.0 if newer is None else max(late, 0.0)
    return Staleness(low, max(high, low), max(high, low) + since_read)


def shift_between(replica: Replica, reader: Clock | None, writer: Clock | None, policy: LagPolicy) -> float | None:
    """The reader's clock minus the writer's, as nearly as it is known; None while the clocks are not compared."""
    if reader is None or writer is None:
        return None
    if replica.node == replica.writer:
        return 0.0
    return offset(writer, policy).upper - offset(reader, policy).upper
