"""Random numbers, drawn by the thousand because the simulation needs a few for every request."""

from __future__ import annotations

from collections.abc import Iterator
from zlib import crc32

import numpy as np

__all__ = ["exponentials", "generator", "uniforms"]

_AT_ONCE = 4096


def generator(seed: int, *purpose: str) -> np.random.Generator:
    """A generator of its own for each purpose: what one draws does not change the others."""
    return np.random.default_rng((seed & 0xFFFF_FFFF, crc32("/".join(purpose).encode())))


def exponentials(source: np.random.Generator) -> Iterator[float]:
    """Exponentially distributed numbers with mean 1, without end."""
    while True:
        yield from source.standard_exponential(_AT_ONCE).tolist()


def uniforms(source: np.random.Generator) -> Iterator[float]:
    """Numbers from 0 up to 1, without end."""
    while True:
        yield from source.random(_AT_ONCE).tolist()
