"""The gauges of one component as they come, each held against its own wandering."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from math import inf, nan

import numpy as np

from snowshed.streams.causes.history import Floats
from snowshed.streams.causes.usual import Usual, columns_quantile, learned, reach, running_medians

__all__ = ["Wandering"]

_FARTHEST = 6.0
"""Bounds; what is farther out says nothing more."""
_LEARNED = 2.0
"""Bounds as which a distance counts at most in what is learned."""


class Wandering:
    """The gauges of one component.

    Args:
        window: intervals remembered.
        learning: intervals before anything is judged.
        every: intervals between two looks back.
        smooth: intervals of which a median is judged.
    """

    def __init__(self, window: int, learning: int, every: int, smooth: int) -> None:
        self._window, self._learning, self._every, self._smooth = window, learning, every, smooth
        self.names: dict[str, int] = {}
        self._rows, self._away = np.empty((window, 0)), np.empty((window, 0))
        self._requests = np.full(window, nan)
        self._usual: Usual | None = None
        self._bound = self._last = self._row = self._now = np.empty(0)
        self._recent: deque[Floats] = deque(maxlen=smooth)
        self._load = nan
        self._taken = 0

    def read(self, gauges: Mapping[str, float], requests: float) -> Floats:
        """How far above or below each gauge is, as a multiple of its own bound; 0 where nothing can be said."""
        if gauges.keys() - self.names.keys():
            self._widen([name for name in gauges if name not in self.names])
        row = np.array([gauges.get(name, nan) for name in self.names])
        before, self._last = self._last, np.where(np.isnan(row), self._last, row)
        self._row, self._load = row, requests
        if self._usual is None:
            self._now = np.full(row.size, nan)
            return np.zeros(row.size)
        self._recent.append(self._usual.values(row[None, :], before, np.array([requests]))[0])
        self._now = self._usual.away(columns_quantile(np.array(self._recent), 0.5))
        return np.clip(np.nan_to_num(self._now / self._bound), -_FARTHEST, _FARTHEST)

    def learn(self) -> None:
        """Remember what was read last: nothing was wrong."""
        at = self._taken % self._window
        # An incident's first interval is learned before it rings, so what is far out must not count by how far.
        reach = np.nan_to_num(_LEARNED * self._bound, nan=inf)
        self._away[at] = np.clip(self._now, -reach, reach) if self._usual is not None else self._now
        self._rows[at], self._requests[at] = self._row, self._load
        self._taken += 1
        if self.names and self._taken >= self._learning and (self._usual is None or self._due()):
            self._look_back()

    def _due(self) -> bool:
        return self._taken % self._every == 0 or (self._taken < 3 * self._learning and self._taken % 4 == 0)

    def forget(self) -> None:
        """Begin anew."""
        self._taken, self._usual = 0, None
        self._recent.clear()

    def _widen(self, names: list[str]) -> None:
        for name in names:
            self.names[name] = len(self.names)
        more = np.full((self._window, len(names)), nan)
        self._rows, self._away = np.hstack([self._rows, more]), np.hstack([self._away, more])
        self._last = np.append(self._last, more[0])
        if self._usual is not None:
            self._look_back()

    def _look_back(self) -> None:
        order = np.arange(max(self._taken - self._window, 0), self._taken) % self._window
        rows, requests = self._rows[order], self._requests[order]
        usual = self._usual = learned(rows, requests, self._learning // 2)
        before = np.vstack([np.full((1, rows.shape[1]), nan), rows[:-1]])
        values = usual.values(rows, before, requests)
        if self._taken <= 3 * self._learning:
            # What was seen before the usual was known is judged in hindsight.
            self._away[order] = usual.away(running_medians(values, self._smooth))
        self._bound = reach(self._away[order])
        self._recent = deque(values[-self._smooth :], maxlen=self._smooth)
