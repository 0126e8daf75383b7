"""What a look-aside cache holds, and which keys are asked for."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

import numpy as np

from snowshed.streams.simulate.queueing.draws import generator, uniforms
from snowshed.streams.simulate.queueing.fleet import Cache

__all__ = ["LookAside"]


class LookAside:
    """A cache that starts with the most popular keys in it.

    Args:
        cache: what it is.
        seed: of the simulation.
        purpose: tells its random numbers from those of others.
    """

    def __init__(self, cache: Cache, seed: int, *purpose: str) -> None:
        weights = 1.0 / np.arange(1, cache.keys + 1) ** cache.exponent
        self._cumulative: list[float] = (np.cumsum(weights) / weights.sum()).tolist()
        self._uniform: Iterator[float] = uniforms(generator(seed, *purpose))
        self._last = cache.keys - 1
        self._size = cache.size
        # The one used last comes last.
        self._held: dict[int, None] = dict.fromkeys(reversed(range(cache.size)))

    def ask(self) -> tuple[int, bool]:
        """The next key that is asked for, and whether it is held."""
        key = min(bisect_left(self._cumulative, next(self._uniform)), self._last)
        if key not in self._held:
            return key, False
        del self._held[key]
        self._held[key] = None
        return key, True

    def fill(self, key: int) -> None:
        """Keep what the store answered."""
        self._held.pop(key, None)
        self._held[key] = None
        if len(self._held) > self._size:
            del self._held[next(iter(self._held))]

    def flush(self) -> None:
        """Lose everything."""
        self._held.clear()
