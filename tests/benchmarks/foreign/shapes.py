"""The streams that are tried: shapes by name, each with seeds for development and seeds held back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from zlib import crc32

import numpy as np
from tests.benchmarks.foreign import databases, shops
from tests.benchmarks.foreign.databases import Databases
from tests.benchmarks.foreign.shops import Shop
from tests.benchmarks.foreign.worlds import Case

__all__ = ["SEEDS", "SHAPES", "Shape"]

SEEDS: Mapping[str, int] = {"dev": 1_000, "held back": 770_000}
"""First seed of each part."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One kind of stream."""

    name: str
    faults: tuple[str, ...]
    make: Callable[[np.random.Generator, str, str], Case]
    """From a draw, an id and a fault, or an empty one for a calm stream."""

    def cases(self, part: str, count: int, *, calm: int = 2) -> Iterator[Case]:
        """Incidents, the faults by turns, then calm streams."""
        first = SEEDS[part] + crc32(self.name.encode()) % 100_000
        for number in range(count + calm):
            rng = np.random.default_rng(first + number)
            fault = self.faults[number % len(self.faults)] if number < count else ""
            yield self.make(rng, f"{self.name}-{first + number}", fault)


def _shop(name: str, what: Shop, faults: tuple[str, ...] = shops.FAULTS) -> Shape:
    return Shape(name, faults, partial(_make_shop, name, what))


def _make_shop(name: str, what: Shop, rng: np.random.Generator, number: str, fault: str) -> Case:
    return shops.shop(rng, name, number, what if fault else replace(what, length=4 * what.length), fault)


def _databases(name: str, what: Databases) -> Shape:
    return Shape(name, databases.FAULTS, partial(_make_databases, name, what))


def _make_databases(name: str, what: Databases, rng: np.random.Generator, number: str, fault: str) -> Case:
    sized = what if fault else replace(what, history=(3600, 3601))
    return databases.databases(rng, name, number, sized, fault)


_SEEN = ("cpu", "memory", "disk", "delay", "loss", "killed")
"""Faults of which gauges tell something."""
SHAPES: tuple[Shape, ...] = (
    _shop("calls and gauges, 60 s", Shop(60.0, 400, 12, edges=True)),
    _shop("nodes and graph, 15 s", Shop(15.0, 260, 20)),
    _shop("nodes, no graph, 1 s", Shop(1.0, 720, 90, graph=False, services=(8, 16))),
    _shop("nodes, no graph, short", Shop(10.0, 84, 18, graph=False)),
    _shop("nodes, 60 s, ten minutes", Shop(60.0, 22, 7)),
    _shop("edges alone, 60 s", Shop(60.0, 300, 10, edges=True, node_rows=False, gauges=False)),
    _shop("nodes at 300 s", Shop(300.0, 200, 5, rate=1.6, gauges=False, services=(20, 40))),
    _shop("pods, gauges alone, 60 s", Shop(60.0, 500, 12, calls=False, graph=False, pods=3), _SEEN),
    _shop("gauges and graph, 60 s", Shop(60.0, 300, 12, calls=False), _SEEN),
    _databases("database, 1 s", Databases((1, 2), (60, 160), (80, 300))),
    _databases("five databases, 1 s", Databases((3, 6), (20, 50), (120, 600))),
)
