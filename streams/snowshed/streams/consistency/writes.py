"""How many writes a leader admits so that its freshest replica stays near enough.

The lag that is seen is the age of the oldest write not yet applied, so it tells of the writes of that time and not of
the present ones. While writes come in w times as fast as they are applied::

    d(lag)/dt = 1 − 1/w        w = 1 / (1 − d(lag)/dt)

and what is admitted should become `want = 1 − (lag − slo/2)/drain` of what can be applied. Each step therefore waits
until the oldest write is one from after the step before, measures w, and multiplies what is admitted by
`(want/w)^exponent`. A loop that did not wait would answer the same writes again and again, and nearly stop the leader.

What is admitted is a priority. Which share of the writes lies above it nobody needs to know: w shows what came of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isnan, nan

from snowshed.schemas.propagation import LOWEST_PRIORITY

__all__ = ["EVERYTHING", "Replication", "WriteLaw", "WriteThrottle", "slowed"]

EVERYTHING = float(LOWEST_PRIORITY)
"""The priority down to which all writes are admitted."""
_LEAST = 26.0
"""Priority that is always admitted: the top of the highest class, without whose writes no lag shows."""
_NOISE = 0.7
"""Seconds of lag that a replica shows for the rhythm of its markers alone."""
_TRAVEL = 1.0
"""Seconds that a decision takes to the writers and what comes of it to the log."""
_WINDOW = 2.0
"""Seconds over which w is measured, at least."""
_STEEPEST = 0.75
"""Growth of the lag above which w is not believed: a replica that applies nothing says nothing of w."""


@dataclass(frozen=True, slots=True)
class Replication:
    """The freshest replica of a dataset."""

    at: float
    """When it was observed."""
    lag: float
    """Seconds that it was behind then, at most."""
    slo: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteLaw:
    """How a throttle moves."""

    begin: float
    """Share of the objective from which on it acts."""
    drain: float
    """Seconds in which lag beyond half of the objective is worked off."""
    exponent: float
    largest_cut: float
    largest_rise: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteThrottle:
    """What is remembered of a dataset whose writes are slowed."""

    dataset: str
    lowest: float = EVERYTHING
    """Lowest priority that is admitted."""
    stepped: float = 0.0
    """When it was last moved."""
    from_at: float = nan
    """When w began to be measured; NaN while the oldest write is one from before the last step."""
    from_lag: float = nan

    @property
    def key(self) -> str:
        """State key."""
        return f"writes/{self.dataset}"


def slowed(
    held: WriteThrottle | None, dataset: str, seen: Replication, now: float, law: WriteLaw
) -> WriteThrottle | None:
    """The throttle after this step; None where none is needed."""
    begin = max(law.begin * seen.slo, 1.0)
    if held is None:
        begun = WriteThrottle(dataset=dataset, from_at=seen.at, from_lag=seen.lag)
        return begun if seen.lag > begin else None
    if isnan(held.from_at):
        visible = seen.at - seen.lag >= held.stepped + _TRAVEL
        return replace(held, from_at=seen.at, from_lag=seen.lag) if visible else held
    if seen.at < held.from_at + _WINDOW:
        return held
    lowest = min(max(held.lowest * _factor(held, seen, law), _LEAST), EVERYTHING)
    if lowest >= EVERYTHING and seen.lag <= begin:
        return None
    return replace(held, lowest=lowest, stepped=now, from_at=nan, from_lag=nan)


def _factor(held: WriteThrottle, seen: Replication, law: WriteLaw) -> float:
    if seen.lag < _NOISE:
        # It has caught up, and nothing tells how much more it could apply.
        return float(law.largest_rise**law.exponent)
    growth = (seen.lag - held.from_lag) / (seen.at - held.from_at)
    relative = 1.0 / (1.0 - min(growth, _STEEPEST))
    want = max(1.0 - (seen.lag - seen.slo / 2.0) / law.drain, 0.0)
    factor: float = (want / relative) ** law.exponent
    return min(max(factor, law.largest_cut), law.largest_rise)
