"""t-visibility: how long after a write a read sees it, from writes that were seen and writes that were not seen yet.

Kaplan and Meier's product-limit estimate (1958). A pair of a write and a replica is observed with its delay d, or
censored at the age c at which it was last looked for. With d_i pairs seen at time t_i and n_i pairs at risk just before
it::

    S(t) = Π over t_i ≤ t of (1 − d_i/n_i)      P(visible by t) = 1 − S(t)
    Var S = S²·Σ d_i/(n_i·(n_i − d_i))          Greenwood

Leaving the unseen out makes the estimate too good exactly while a replica hangs, and taking them as seen at c is as
wrong. What a pair was censored by must not depend on its delay. A pair that came under observation at a later age
counts as at risk only from there: late entry.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import erfc, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Estimate", "Floats", "Visibility", "kaplan_meier", "product_limit"]

Floats = NDArray[np.float64]

_NORMAL_95 = 1.959963984540054


class Estimate(NamedTuple):
    """A share or a time with its band; None is beyond the window."""

    value: float | None
    low: float | None
    high: float | None

    @property
    def settled(self) -> bool:
        """Whether also the band ends inside the window; else the value rests on so few pairs that it leans low."""
        return self.high is not None


@dataclass(frozen=True, slots=True, eq=False)
class Visibility:
    """The estimate as a step function.

    Bands are pointwise, on the scale of log(−log S), where they stay inside 0 to 1 and are right also near both ends
    (Kalbfleisch and Prentice 1980); a time's band is where the band of S crosses the share (Brookmeyer and Crowley
    1982).
    """

    times: Floats
    """Delays at which writes were seen, ascending."""
    survival: Floats
    """S just after each time."""
    spread: Floats
    """Greenwood's sum Σ d/(n·(n − d)) up to each time."""
    last_at_risk: float
    """Pairs at risk just before the last of the times."""
    pairs: float
    censored: float
    window: float
    """The longest delay or age that was looked at: nothing is known beyond."""

    @property
    def censored_share(self) -> float:
        """Share of the pairs that were not seen; 0 without pairs."""
        return self.censored / self.pairs if self.pairs else 0.0

    def fresh(self, age: float, z: float = _NORMAL_95) -> Estimate:
        """The probability that a write of this age is visible; beyond the window only its lower bound is known."""
        step = int(np.searchsorted(self.times, age, "right")) - 1
        if step < 0:
            return Estimate(0.0, 0.0, 0.0 if age < self.window else 1.0)
        low, high = self._band(z)
        known = age <= self.window or self.survival[step] == 0.0
        value = 1.0 - float(self.survival[step])
        return Estimate(value if known else None, 1.0 - float(high[step]), 1.0 - float(low[step]) if known else 1.0)

    def quantile(self, share: float, z: float = _NORMAL_95) -> Estimate:
        """The age by which this share of writes is visible.

        Raises:
            ValueError: the share is not between 0 and 1.
        """
        if not 0.0 < share < 1.0:
            raise ValueError(f"share {share!r} is not between 0 and 1, as 0.99 is")
        low, high = self._band(z)
        return Estimate(*(self._crossing(curve, 1.0 - share) for curve in (self.survival, low, high)))

    def _crossing(self, curve: Floats, level: float) -> float | None:
        # The tolerance undoes the rounding of a product of many factors; it is far below one write in any log.
        below = np.flatnonzero(curve <= level * (1.0 + 1e-9) + 1e-15)
        return float(self.times[below[0]]) if below.size else None

    def _band(self, z: float) -> tuple[Floats, Floats]:
        """Lower and upper bound of S at each time."""
        inside = (self.survival > 0.0) & (self.survival < 1.0)
        s = np.where(inside, self.survival, 0.5)
        exponent = z * np.sqrt(np.where(inside, self.spread, 0.0)) / -np.log(s)
        low = np.where(inside, s ** np.exp(exponent), self.survival)
        high = np.where(inside, s ** np.exp(-exponent), self.survival)
        if self.survival.size and self.survival[-1] == 0.0:
            # Greenwood's variance is not defined where all that were left at risk were seen. That none of n of them was
            # seen later bounds the share that is (Clopper and Pearson 1934).
            later = 1.0 - (erfc(z / sqrt(2.0)) / 2.0) ** (1.0 / self.last_at_risk)
            high[-1] = later * (high[-2] if self.survival.size > 1 else 1.0)
        return low, np.minimum.accumulate(high) if high.size else high


def kaplan_meier(
    seconds: Sequence[float] | Floats,
    seen: Sequence[bool] | NDArray[np.bool_],
    entered: Sequence[float] | Floats | None = None,
) -> Visibility:
    """The estimate from pairs, in O(n log n).

    Args:
        seconds: delay of a pair that was seen, age of one that was not.
        seen: which of both it is.
        entered: age at which a pair came under observation; 0 for all by default.

    Raises:
        ValueError: lengths differ, or a pair entered when it was already seen or given up.
    """
    ends = np.asarray(seconds, np.float64)
    hits = np.asarray(seen, np.bool_)
    starts = np.full(ends.shape, -np.inf) if entered is None else np.asarray(entered, np.float64)
    if not ends.shape == hits.shape == starts.shape:
        raise ValueError(f"{ends.size} delays, {hits.size} outcomes and {starts.size} entries are not of equal length")
    if not np.all(starts < ends):
        raise ValueError("a pair came under observation at or after the end of its own delay")
    times, died = np.unique(ends[hits], return_counts=True)
    at_risk = np.searchsorted(np.sort(starts), times, "left") - np.searchsorted(np.sort(ends), times, "left")
    window = float(ends.max()) if ends.size else 0.0
    return product_limit(
        times,
        died.astype(np.float64),
        at_risk.astype(np.float64),
        censored=float(ends.size - hits.sum()),
        window=window,
    )


def product_limit(times: Floats, died: Floats, at_risk: Floats, *, censored: float, window: float) -> Visibility:
    """The estimate from counts, which may be weights: `died` of `at_risk` pairs were seen at each of `times`."""
    left = at_risk - died
    with np.errstate(divide="ignore"):
        spread = np.cumsum(died / (at_risk * left))
    return Visibility(
        times=times,
        survival=np.asarray(np.cumprod(left / at_risk), np.float64),
        spread=np.asarray(spread, np.float64),
        last_at_risk=float(at_risk[-1]) if at_risk.size else 0.0,
        pairs=float(died.sum()) + censored,
        censored=censored,
        window=window,
    )
