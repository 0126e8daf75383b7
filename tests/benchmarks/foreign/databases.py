"""Databases of which nothing is known but dozens of gauges a second."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from tests.benchmarks.foreign.gauges import Floats, Rng, autoregressive, drawn_kind, gauge
from tests.benchmarks.foreign.worlds import Case, Measured

__all__ = ["FAULTS", "Databases", "databases"]

FAULTS = ("stall", "pressure", "contention", "expensive")


@dataclass(frozen=True, slots=True)
class Databases:
    """How many, with how many gauges, for how long."""

    nodes: tuple[int, int]
    gauges: tuple[int, int]
    history: tuple[int, int]
    """Intervals before the fault."""
    fault: tuple[int, int] = (30, 60)
    after: int = 40
    dt: float = 1.0


def databases(rng: Rng, shape: str, number: str, what: Databases, fault: str) -> Case:
    """One incident, or none where no fault is named: then the history alone."""
    start, lasts = int(rng.integers(*what.history)), int(rng.integers(*what.fault)) if fault else 0
    length = start + lasts + (what.after if fault else 0)
    names = [f"db-{one}" for one in range(int(rng.integers(*what.nodes)))]
    culprit = str(rng.choice(names)) if fault else ""
    case = Case(shape, number, what.dt, length, {}, {}, (), "", fault, culprit)
    on = np.zeros(length)
    on[start : start + lasts] = 1.0
    if fault:
        case.began, case.ended = start * what.dt, (start + lasts) * what.dt
    shared = np.exp(0.05 * autoregressive(rng, length, 8.0))
    for _ in range(rng.poisson(length / 900.0)):
        begin = int(rng.integers(0, length))
        shared[begin : begin + int(rng.integers(2, 10))] *= rng.uniform(1.2, 1.6)
    for name in names:
        load = shared * np.exp(0.1 * rng.normal(size=length))
        case.nodes[name] = Measured(resources=_gauges(rng, what, load, on, fault if name == culprit else ""))
    return case


def _gauges(rng: Rng, what: Databases, load: Floats, on: Floats, fault: str) -> dict[str, Floats]:
    work = {"stall": 0.1, "pressure": 0.6, "contention": 0.4, "expensive": 0.9}.get(fault, 1.0)
    load = load * (1.0 - (1.0 - work) * on)
    touched = {"stall": 0.25, "pressure": 0.2, "contention": 0.12, "expensive": 0.12}.get(fault, 0.0)
    found: dict[str, Floats] = {}
    for one in range(int(rng.integers(*what.gauges))):
        hit = rng.random() < touched
        height = float(rng.uniform(1.0, 12.0) * rng.choice([1.0, 1.0, -0.5])) if hit else 0.0
        delay = int(rng.integers(0, 4))
        shift = np.concatenate([np.zeros(delay), on[: on.size - delay]]) * height
        found[f"g{one:03d}"] = gauge(rng, drawn_kind(rng), load, shift)
    return found
