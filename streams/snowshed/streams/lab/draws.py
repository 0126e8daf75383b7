"""Random arrivals and keys, the same for the same seed; pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate
from random import Random

from snowshed.streams.lab.specs import ClassSpec, LoadSpec

__all__ = ["arrivals", "zipf"]

_PEAK = 1e-9


def arrivals(load: LoadSpec, one: ClassSpec, random: Random) -> Iterator[float]:
    """When requests of a class arrive, in seconds from the start: a Poisson process whose rate follows the surges.

    It is drawn at the highest rate and thinned, so the arrivals outside of a surge do not depend on the surge.
    """
    times = [0.0, *(surge.start for surge in load.surges)]
    highest = max(load.rate_of(one, at) for at in times)
    at = 0.0
    while highest > _PEAK:
        at += random.expovariate(highest)
        if at >= load.seconds:
            return
        if random.random() * highest < load.rate_of(one, at):
            yield at


def zipf(keys: int, skew: float, random: Random) -> Iterator[int]:
    """Keys 0 to `keys` - 1, key k drawn in proportion to (k + 1) ** -skew; for ever 0 when there are no keys."""
    weights = list(accumulate((key + 1.0) ** -skew for key in range(keys)))
    while True:
        yield bisect_left(weights, random.random() * weights[-1]) if keys else 0
