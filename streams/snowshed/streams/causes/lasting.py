"""When how far out something is, and how long it stays there, is more than chance.

What must last is the smallest of the last few heights, so that a threshold learned from its own past allows for noise
that remembers. The tail beyond the 90 % quantile is taken to be exponential, and the threshold is where chance alone
leads about as often as the policy bears (peaks over threshold: Siffer et al., KDD 2017).
"""

from __future__ import annotations

from collections import deque
from math import inf, isnan, log, nan, sqrt

import numpy as np

__all__ = ["Lasting"]

_TAIL = 0.9
_FEW = 12.0
"""Heights from whose number on the least threshold is less than doubled."""
_EVERY = 16
"""Learned heights between two looks back."""
_BOUND = 2.0
"""Thresholds as which a height counts at most in what is learned."""


class _Tail:
    """Heights while nothing was wrong, and what they seldom pass."""

    def __init__(self, remembered: int) -> None:
        self._heights: deque[float] = deque(maxlen=remembered)
        self._start = self._mean = 0.0

    def add(self, height: float, *, due: bool) -> None:
        self._heights.append(height)
        if due:
            heights = np.array(self._heights)
            self._start = float(np.quantile(heights, _TAIL))
            self._mean = float((heights[heights >= self._start] - self._start).mean())

    def beyond(self, chances: float) -> float:
        """What is passed once in so many intervals."""
        return self._start + self._mean * log((1.0 - _TAIL) * chances)

    def clear(self) -> None:
        self._heights.clear()


class Lasting:
    """One height that is followed.

    Args:
        intervals: in a row that must be out.
        remembered: heights kept.
        learning: heights before their tail is believed.
        least: height below which nothing rings.
    """

    def __init__(self, intervals: int, remembered: int, learning: int, least: float) -> None:
        self.least = least
        self._learning = learning
        self._recent: deque[float] = deque(maxlen=intervals)
        self._lowest, self._single = _Tail(remembered), _Tail(remembered)
        self._learned = 0
        self.bound = inf
        """What counts at most in what is learned of the newest height; infinite until the tail is believed."""
        self.since = nan
        """Start of the first interval of those that are out now; NaN while the newest is not."""

    def take(self, height: float, t: float, chances: float) -> float:
        """The threshold for one more height, of which `chances` happen between two false alarms."""
        self._recent.append(height)
        threshold = self._threshold(chances)
        self.bound = _BOUND * threshold if self._learned >= self._learning else inf
        if height <= threshold:
            self.since = nan
        elif isnan(self.since):
            self.since = t
        return threshold

    @property
    def lowest(self) -> float:
        """The smallest of the last heights; 0 until there are enough."""
        return min(self._recent) if len(self._recent) == self._recent.maxlen else 0.0

    def learn(self) -> None:
        """Remember the newest: nothing was wrong, or nothing has rung yet.

        An incident's first interval is learned before it rings, so how far out that was must not count: one that was
        very far out would raise the threshold beyond all others.
        """
        self._learned += 1
        due = self._learned <= self._learning or self._learned % _EVERY == 0
        self._lowest.add(min(self.lowest, self.bound), due=due)
        self._single.add(min(self._recent[-1], self.bound), due=due)

    def _threshold(self, chances: float) -> float:
        if self._learned < self._learning:
            return 2.0 * self.least
        # Two running are as rare as the square of one, unless what is seen remembers.
        single = self._single.beyond(sqrt(chances) if self._recent.maxlen != 1 else chances)
        return max(self._lowest.beyond(chances), single, self.least * (1.0 + _FEW / self._learned))

    def forget(self) -> None:
        """Begin anew."""
        self._recent.clear()
        self._lowest.clear()
        self._single.clear()
        self._learned = 0
        self.since = nan
