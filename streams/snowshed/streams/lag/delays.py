"""One-way delays to draw from: measured ones, and the fits published with PBS (Bailis et al., VLDB 2012)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

import numpy as np

from snowshed.streams.lag.visibility import Floats

__all__ = ["DISK", "PROFILES", "SSD", "YAMMER", "Delays", "Legs", "Measured", "ParetoExponential"]


class Delays(Protocol):
    """Where delays come from."""

    def draw(self, generator: np.random.Generator, shape: tuple[int, int]) -> Floats:
        """Independent delays in seconds."""
        ...


@dataclass(frozen=True, slots=True)
class ParetoExponential:
    """Pareto with a probability, exponential otherwise: a body and a tail.

    Args:
        share: probability of the Pareto part.
        minimum: its smallest value, seconds.
        shape: its exponent.
        rate: of the exponential part, per second.
    """

    share: float
    minimum: float
    shape: float
    rate: float

    def draw(self, generator: np.random.Generator, shape: tuple[int, int]) -> Floats:
        """Independent delays in seconds."""
        body = self.minimum * (1.0 + generator.pareto(self.shape, shape))
        tail = generator.exponential(1.0 / self.rate, shape)
        return np.where(generator.random(shape) < self.share, body, tail)


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """Delays that were measured, drawn with replacement."""

    seconds: Floats

    def draw(self, generator: np.random.Generator, shape: tuple[int, int]) -> Floats:
        """Independent delays in seconds."""
        return generator.choice(self.seconds, shape)


@dataclass(frozen=True, slots=True)
class Legs:
    """The four one-way delays of a replicated store: W, A, R, S."""

    write: Delays
    acknowledge: Delays
    read: Delays
    respond: Delays


_SSD = ParetoExponential(0.9122, 0.235e-3, 10.0, 1660.0)
_DISK_WRITE = ParetoExponential(0.38, 1.05e-3, 1.51, 183.0)
_YAMMER_WRITE = ParetoExponential(0.939, 3e-3, 3.35, 2.8)
_YAMMER = ParetoExponential(0.982, 1.5e-3, 3.8, 21.7)

SSD = Legs(_SSD, _SSD, _SSD, _SSD)
"""Voldemort at LinkedIn on solid-state disks."""
DISK = Legs(_DISK_WRITE, _SSD, _SSD, _SSD)
"""Voldemort at LinkedIn on spinning disks."""
YAMMER = Legs(_YAMMER_WRITE, _YAMMER, _YAMMER, _YAMMER)
"""Riak at Yammer."""

PROFILES: Mapping[str, Legs] = MappingProxyType({"ssd": SSD, "disk": DISK, "yammer": YAMMER})
"""The fits by name."""
