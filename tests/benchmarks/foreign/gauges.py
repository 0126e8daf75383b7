"""How gauges behave while nothing is wrong."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["Floats", "Rng", "autoregressive", "drawn_kind", "gauge", "sawtooth", "walk"]

Floats = NDArray[np.float64]
Rng = np.random.Generator
KINDS = ("noise", "slow", "walk", "counts", "spiky", "sawtooth", "constant", "counter", "holes")
_SHARES = (0.34, 0.16, 0.08, 0.12, 0.1, 0.05, 0.06, 0.05, 0.04)


def autoregressive(rng: Rng, length: int, memory: float) -> Floats:
    """Noise of deviation 1 that remembers; `memory` in intervals."""
    keep = float(np.exp(-1.0 / memory))
    shocks = rng.normal(size=length) * np.sqrt(1.0 - keep * keep)
    out = np.empty(length)
    level = rng.normal()
    for number in range(length):
        level = keep * level + shocks[number]
        out[number] = level
    return out


def walk(rng: Rng, length: int, step: float) -> Floats:
    """A random walk with a trend of its own."""
    return np.asarray(np.cumsum(rng.normal(0.0, step, length) + rng.normal(0.0, 0.3 * step)), dtype=np.float64)


def sawtooth(rng: Rng, length: int, period: float) -> Floats:
    """Grows from 0 to 1 and falls back, as memory does that is collected."""
    return np.asarray((np.arange(length) / period + rng.random()) % 1.0, dtype=np.float64)


def drawn_kind(rng: Rng) -> str:
    return str(rng.choice(KINDS, p=_SHARES))


def gauge(rng: Rng, kind: str, load: Floats, shift: Floats) -> Floats:
    """One gauge that follows a load; `shift` is what a fault adds, in usual deviations (at least a tenth of it)."""
    length = load.size
    level = float(10.0 ** rng.uniform(-1.0, 5.0))
    follows = float(rng.choice([0.0, 0.3, 1.0]))
    relative = float(rng.uniform(0.02, 0.25))
    base = level * load**follows
    noisy = base * (1.0 + relative * rng.normal(size=length))
    size = relative * level
    if kind == "constant":
        return np.where(shift > 12.0, level * 1.5, level)
    if kind == "slow":
        noisy = base * (1.0 + relative * autoregressive(rng, length, float(rng.uniform(5.0, 60.0))))
    elif kind == "walk":
        noisy = level * (1.0 + 0.02 * walk(rng, length, 1.0)) + 0.01 * level * rng.normal(size=length)
    elif kind == "counts":
        mean = float(rng.uniform(0.3, 12.0))
        often: Floats = np.maximum(mean * load**follows + shift * np.sqrt(mean), 0.0)
        return np.asarray(rng.poisson(often), dtype=np.float64)
    elif kind == "spiky":
        noisy = base * np.exp(rng.standard_t(3.0, length) * relative)
    elif kind == "sawtooth":
        noisy = level * (1.0 + sawtooth(rng, length, float(rng.uniform(15.0, 80.0))))
        size = 0.6 * level
    elif kind == "counter":
        return np.asarray(np.cumsum(np.maximum(noisy + shift * size, 0.0)), dtype=np.float64)
    found: Floats = np.asarray(noisy + shift * size, dtype=np.float64)
    if kind == "holes":
        found = np.where(rng.random(length) < 0.3, np.nan, found)
    return np.asarray(found, dtype=np.float64)
