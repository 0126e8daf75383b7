"""What a quorum store would show its readers under other N, R and W: probabilistically bounded staleness.

Bailis et al., VLDB 2012. A write goes to N replicas and is committed at w_t, the W-th smallest of W_i + A_i; a read
that starts t after that asks all and answers from the R replicas of smallest R_i + S_i. It is fresh iff one of those
had the write when asked::

    min(W_i − R_i) ≤ w_t + t

so each trial gives the age from which its read is fresh, and t-visibility is the distribution of those ages. Replicas
are taken as independent: what slows all of them at once breaks this, so compare with the measured `Visibility`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np

from snowshed.streams.lag.delays import Legs
from snowshed.streams.lag.visibility import Floats

__all__ = ["Quorum", "WhatIf", "stale_by_versions", "what_if"]


@dataclass(frozen=True, slots=True)
class Quorum:
    """How many replicas there are, and how many a read and a write wait for.

    Raises:
        ValueError: a read or a write waits for none or for more than there are.
    """

    replicas: int
    read: int
    write: int

    def __post_init__(self) -> None:
        if not (1 <= self.read <= self.replicas and 1 <= self.write <= self.replicas):
            raise ValueError(f"N={self.replicas}, R={self.read}, W={self.write}: R and W must lie between 1 and N")


@dataclass(frozen=True, slots=True, eq=False)
class WhatIf:
    """The outcome of the trials."""

    fresh_from: Floats
    """Ages after commit from which a read is fresh, ascending; at or below 0 is always."""
    read_latency: Floats
    """Seconds a read waits, ascending."""
    write_latency: Floats
    """Seconds a write waits, ascending."""

    def fresh(self, age: float) -> float:
        """The probability that a read which starts this long after commit sees the write."""
        return float(np.searchsorted(self.fresh_from, age, "right")) / self.fresh_from.size

    def visible(self, share: float) -> float:
        """The age after commit at which this share of reads sees the write: its t-visibility."""
        return max(0.0, float(np.quantile(self.fresh_from, share, method="inverted_cdf")))


def stale_by_versions(quorum: Quorum, versions: int) -> float:
    """The probability that a read misses all of the last `versions` versions, each on W replicas and no more.

    The closed form (C(N − W, R) / C(N, R))^k: no write spreads beyond its quorum, so a real store does better.
    """
    missed = comb(quorum.replicas - quorum.write, quorum.read) / comb(quorum.replicas, quorum.read)
    return missed**versions


def what_if(legs: Legs, quorum: Quorum, generator: np.random.Generator, trials: int = 100_000) -> WhatIf:
    """Draw the delays of `trials` writes, each followed by a read."""
    shape = (trials, quorum.replicas)
    write, read = legs.write.draw(generator, shape), legs.read.draw(generator, shape)
    acknowledged = np.sort(write + legs.acknowledge.draw(generator, shape), axis=1)
    answered = read + legs.respond.draw(generator, shape)
    order = np.argsort(answered, axis=1)
    asked = order[:, : quorum.read]
    committed = acknowledged[:, quorum.write - 1]
    held = np.take_along_axis(write - read, asked, axis=1).min(axis=1)
    waited = np.take_along_axis(answered, order[:, quorum.read - 1 : quorum.read], axis=1)[:, 0]
    return WhatIf(np.sort(held - committed), np.sort(waited), np.sort(committed))
