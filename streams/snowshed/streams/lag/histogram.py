"""Delays of writes, seen and not seen, in bounded memory: counts by log-spaced bin, over a sliding window.

The bins are those of the latency sketch, without its upper end: a delay between 50 µs and any number of days is known
to 2 %, and a replica has some hundred bins in use. Product-limit estimates from counts are those of the pairs
themselves with every time moved to the middle of its bin.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import ceil, log

import numpy as np

from snowshed.schemas.sketch import LOG_GAMMA, MIN_SECONDS, value_of
from snowshed.streams.lag.visibility import Estimate, Visibility, product_limit

__all__ = ["Bins", "Delays", "Shown", "bin_of", "curve", "merged", "recorded"]

Bins = tuple[tuple[int, float, float], ...]
"""(bin, writes seen, writes not seen when looking ended), ascending."""


@dataclass(frozen=True, slots=True)
class Half:
    """One half of the window."""

    number: int
    bins: Bins


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What is published of the delays at a replica; a time is told only if its band is known."""

    pairs: float
    censored_share: float
    t50: float | None
    t99: float | None
    t999: float | None
    stale_age: float
    stale_share: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delays:
    """The delays at one replica over the last half to whole window."""

    appended: float
    """When something was last recorded."""
    halves: tuple[Half, ...] = ()
    shown: Shown | None = None


def bin_of(seconds: float) -> int:
    """The bin of a delay; one that is shorter than clocks can tell, or negative by their error, is in the first."""
    return 0 if seconds <= MIN_SECONDS else ceil(log(seconds / MIN_SECONDS) / LOG_GAMMA)


def merged(*parts: Iterable[tuple[int, float, float]]) -> Bins:
    """The sum of bins."""
    total: dict[int, tuple[float, float]] = {}
    for part in parts:
        for number, seen, censored in part:
            had = total.get(number, (0.0, 0.0))
            total[number] = (had[0] + seen, had[1] + censored)
    return tuple((number, *total[number]) for number in sorted(total))


def recorded(delays: Delays | None, bins: Bins, unseen: Bins, *, at: float, window: float, age: float) -> Delays:
    """The delays after more of them; what is older than the window goes.

    Args:
        delays: what was kept so far.
        bins: writes seen, or given up, since then.
        unseen: writes that are still looked for.
        at: now.
        window: seconds that delays are kept.
        age: of a write whose visibility is published, seconds.
    """
    number = int(at // (window / 2.0))
    kept = [half for half in (delays.halves if delays else ()) if half.number >= number - 1]
    if kept and kept[-1].number >= number:
        kept[-1] = replace(kept[-1], bins=merged(kept[-1].bins, bins))
    else:
        kept.append(Half(number, bins))
    seen = curve(merged(*(half.bins for half in kept), unseen))
    return Delays(appended=at, halves=tuple(kept), shown=_shown(seen, age) if seen.pairs else None)


def _shown(seen: Visibility, age: float) -> Shown:
    fresh = seen.fresh(age).value
    return Shown(
        pairs=seen.pairs,
        censored_share=seen.censored / seen.pairs,
        t50=_told(seen.quantile(0.5)),
        t99=_told(seen.quantile(0.99)),
        t999=_told(seen.quantile(0.999)),
        stale_age=age,
        stale_share=None if fresh is None else 1.0 - fresh,
    )


def _told(estimate: Estimate) -> float | None:
    return estimate.value if estimate.settled else None


def curve(bins: Bins) -> Visibility:
    """Kaplan and Meier's estimate from counts; in a bin, what was seen comes before what was not."""
    table = np.array(bins or [(0, 0.0, 0.0)], np.float64)
    at_risk = np.cumsum((table[:, 1] + table[:, 2])[::-1])[::-1]
    hit = table[:, 1] > 0.0
    return product_limit(
        np.array([value_of(int(number)) for number in table[hit, 0]], np.float64),
        table[hit, 1],
        at_risk[hit],
        censored=float(table[:, 2].sum()),
        window=value_of(int(table[-1, 0])) if bins else 0.0,
    )
