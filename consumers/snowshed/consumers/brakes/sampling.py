"""A latency sketch that a busy process can afford; pure."""

from __future__ import annotations

from snowshed.schemas.sketch import LatencySketch

__all__ = ["SampledSketch"]

_WANTED = 512


class SampledSketch:
    """Counts every call, and measures so many of them, evenly spread, as quantiles need.

    Up to twice 512 calls between two renewals are all measured; of more, every n-th.
    """

    __slots__ = ("_left", "_stride", "count", "sketch")

    def __init__(self) -> None:
        self._stride = self._left = 1
        self.count = 0
        """Calls counted since the last renewal."""
        self.sketch = LatencySketch()
        """What was measured since the last renewal."""

    def add(self, seconds: float) -> None:
        """Counts a call."""
        self.count += 1
        self._left -= 1
        if not self._left:
            self._left = self._stride
            self.sketch.add(seconds)

    def renew(self) -> LatencySketch:
        """Begins anew, for about as many calls as there were, and returns what was measured."""
        measured, self.sketch = self.sketch, LatencySketch()
        self._stride = self._left = max(1, self.count // _WANTED)
        self.count = 0
        return measured
