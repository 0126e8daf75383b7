"""What a run came to, judged by the goodput of the calls from outside."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from math import ceil, floor

from snowshed.streams.simulate.queueing.seconds import Second

__all__ = ["Summary", "summarize"]

_SAME_AGAIN = 0.95
_IN_A_ROW = 5
_COLLAPSED = 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A run in a few numbers; times are seconds since its start."""

    offered: int
    """Calls from outside."""
    succeeded: int
    """Attempts that succeeded in time."""
    attempts: int
    """On all edges."""
    peak_amplification: float
    """Attempts per first attempt from outside, in the worst second."""
    goodput_before: float
    """Per second, from second 20 to the trouble's start."""
    recovered_at: float | None
    """When the first of five seconds in a row began, after the trouble, that each had 95 % of that, or of what was
    asked for in that second if that was less."""
    lost_seconds: float
    """Seconds of full goodput that are missing from the trouble's start on, of what was asked for and no more than
    before it."""
    lost_to_before: float
    """The same against the goodput before, whatever was asked for: contains what chance takes."""
    outcome: str
    """recovers, metastable, or degraded: neither recovered nor collapsed."""


def summarize(
    run: Iterable[Sequence[Second]], entries: frozenset[tuple[str, str]], start: float, end: float
) -> Summary:
    """Judge a run.

    Args:
        run: its seconds, each edge by edge.
        entries: edges on which load comes in.
        start: of the trouble.
        end: of the trouble.
    """
    attempts = 0
    peak = 1.0
    goodput: list[int] = []
    demand: list[int] = []
    for edges in run:
        outside = [edge for edge in edges if (edge.caller, edge.callee) in entries]
        first = sum(edge.first for edge in outside)
        hits = sum(edge.cache_hits for edge in outside)
        attempts += sum(edge.attempts for edge in edges)
        peak = max(peak, sum(edge.attempts for edge in outside) / max(first, 1))
        # A call that a cache answers has succeeded too.
        demand.append(first + hits)
        goodput.append(sum(edge.ok for edge in outside) + hits)
    judged = _Judged(goodput, demand, floor(start), ceil(end))
    return Summary(
        offered=sum(demand),
        succeeded=sum(goodput),
        attempts=attempts,
        peak_amplification=peak,
        goodput_before=judged.before,
        recovered_at=judged.recovered_at,
        lost_seconds=judged.lost(judged.wanted),
        lost_to_before=judged.lost([judged.before] * len(goodput)),
        outcome=judged.outcome,
    )


class _Judged:
    def __init__(self, goodput: list[int], demand: list[int], start: int, end: int) -> None:
        calm = goodput[min(20, start // 2) : start] or [0]
        self.before = sum(calm) / len(calm)
        self.wanted = [min(self.before, each) for each in demand]
        self._goodput, self._start, self._end = goodput, start, end
        self.recovered_at = self._recovered_at()

    def lost(self, wanted: Sequence[float]) -> float:
        missing = (max(0.0, want - good) for want, good in zip(wanted, self._goodput, strict=True))
        return sum(islice(missing, self._start, None)) / self.before if self.before else 0.0

    @property
    def outcome(self) -> str:
        if self.recovered_at is not None:
            return "recovers"
        after = self._goodput[self._end :][-10:]
        return "metastable" if after and sum(after) / len(after) < _COLLAPSED * self.before else "degraded"

    def _recovered_at(self) -> float | None:
        good = [good >= _SAME_AGAIN * want for good, want in zip(self._goodput, self.wanted, strict=True)]
        starts = range(self._end, len(good) - _IN_A_ROW + 1)
        return next((float(t) for t in starts if all(good[t : t + _IN_A_ROW])), None)
