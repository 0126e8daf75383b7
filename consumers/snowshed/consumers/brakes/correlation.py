"""How two measurements go together, over the last so many pairs; pure."""

from __future__ import annotations

from collections import deque
from math import sqrt

__all__ = ["Correlation"]


class Correlation:
    """Pearson's coefficient of the pairs in a sliding window.

    Args:
        size: pairs that are kept.
    """

    __slots__ = ("_pairs",)

    def __init__(self, size: int) -> None:
        self._pairs: deque[tuple[float, float]] = deque(maxlen=size)

    def add(self, x: float, y: float) -> None:
        """Takes a pair and lets the oldest go."""
        self._pairs.append((x, y))

    def __len__(self) -> int:
        return len(self._pairs)

    def forget_above(self, x: float) -> None:
        """Lets pairs go whose first is larger: they tell of conditions that are no more."""
        self._pairs = deque((pair for pair in self._pairs if pair[0] <= x), maxlen=self._pairs.maxlen)

    @property
    def coefficient(self) -> float:
        """-1 to 1; 0 while fewer than three pairs are known or one of the two does not move."""
        n = len(self._pairs)
        if n < 3:
            return 0.0
        mean_x, mean_y = self._means()
        xx = sum((x - mean_x) ** 2 for x, _ in self._pairs)
        yy = sum((y - mean_y) ** 2 for _, y in self._pairs)
        xy = sum((x - mean_x) * (y - mean_y) for x, y in self._pairs)
        # A spread of rounding errors is none.
        if xx <= 1e-18 * n * mean_x**2 or yy <= 1e-18 * n * mean_y**2:
            return 0.0
        return max(-1.0, min(1.0, xy / sqrt(xx) / sqrt(yy)))

    @property
    def variation(self) -> float:
        """Standard deviation of the second over its mean; 0 while fewer than three pairs are known."""
        n = len(self._pairs)
        _, mean = self._means() if n else (0.0, 0.0)
        if n < 3 or mean == 0:
            return 0.0
        return sqrt(sum((y - mean) ** 2 for _, y in self._pairs) / n) / abs(mean)

    def _means(self) -> tuple[float, float]:
        n = len(self._pairs)
        return sum(x for x, _ in self._pairs) / n, sum(y for _, y in self._pairs) / n
