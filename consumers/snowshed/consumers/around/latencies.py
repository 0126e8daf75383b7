"""A quantile of the latencies seen lately; pure."""

from __future__ import annotations

from collections import deque

__all__ = ["Latencies"]

_KEPT = 200
_NEEDED = 20
_SORTED_EVERY = 10


class Latencies:
    """The last 200 latencies, of which one quantile is brought up to date at every tenth, or so where threads share it.

    Args:
        quantile: which one, 0 to 1.
    """

    __slots__ = ("_quantile", "_seen", "_since", "value")

    def __init__(self, quantile: float) -> None:
        self._quantile = quantile
        self._seen: deque[float] = deque(maxlen=_KEPT)
        self._since = 0
        self.value: float | None = None
        """Seconds; None before twenty have been seen."""

    def add(self, latency: float) -> None:
        """Takes one more, in seconds."""
        self._seen.append(latency)
        self._since += 1
        if self._since >= _SORTED_EVERY and len(self._seen) >= _NEEDED:
            self._since = 0
            ordered = sorted(self._seen)
            self.value = ordered[int(self._quantile * (len(ordered) - 1))]
