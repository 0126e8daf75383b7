"""A shop of services that call each other: load with a season, latency by queueing, gauges of each service or pod."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log

import numpy as np
from tests.benchmarks.foreign.gauges import Floats, Rng, autoregressive, sawtooth, walk
from tests.benchmarks.foreign.worlds import Case, Measured

__all__ = ["FAULTS", "Shop", "shop"]

FAULTS = ("cpu", "memory", "disk", "delay", "loss", "errors", "killed")
_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Shop:
    """What is measured of it, and how."""

    dt: float
    length: int
    """Intervals, of which the fault's are the last but a few."""
    fault: int
    """Intervals that the fault lasts."""
    services: tuple[int, int] = (6, 14)
    calls: bool = True
    """Requests, errors and latency of each service."""
    edges: bool = False
    """The same of each call."""
    node_rows: bool = True
    graph: bool = True
    gauges: bool = True
    pods: int = 1
    rate: float = 40.0
    """Requests a second at the entry."""


def shop(rng: Rng, shape: str, number: str, what: Shop, fault: str) -> Case:
    """One incident, or none where no fault is named."""
    count = int(rng.integers(*what.services))
    callers = [sorted({int(x) for x in rng.integers(0, one, size=1 + (rng.random() < 0.3))}) for one in range(1, count)]
    calls = {
        (caller, one): float(rng.choice([0.4, 1.0, 1.0, 2.0])) for one, of in enumerate(callers, 1) for caller in of
    }
    names = [f"s{one:02d}" for one in rng.permutation(count)]
    start = what.length - what.fault - int(rng.integers(3, 8)) if fault else what.length
    on = _ramp(what, start, fault)
    culprit = int(rng.integers(1 if rng.random() < 0.9 else 0, count)) if fault else -1
    model = _Model(rng, what, calls, count, _Trouble(fault, culprit, on))
    case = Case(shape, number, what.dt, what.length, {}, {}, (), names[0], fault, names[culprit] if fault else "")
    if fault:
        case.began, case.ended = start * what.dt, (start + what.fault) * what.dt
    pair = {edge: (names[edge[0]], names[edge[1]]) for edge in calls}
    if what.graph:
        case.graph = tuple(sorted(pair.values()))
    if what.edges:
        case.edges = {pair[edge]: model.call(edge) for edge in calls}
        case.edges["@external", names[0]] = model.outside()
    if what.node_rows:
        for one, name in enumerate(names):
            case.nodes[name] = model.node(one)
    _spoil(rng, case, start)
    return case


def _ramp(what: Shop, start: int, fault: str) -> Floats:
    on = np.zeros(what.length)
    if fault == "memory":
        on[start : start + what.fault] = np.minimum(np.arange(1, what.fault + 1) / (0.4 * what.fault), 1.0)
    elif fault:
        on[start : start + what.fault] = 1.0
    return on


def _spoil(rng: Rng, case: Case, start: int) -> None:
    """Lost intervals, gauges that never move, and one service that is deployed late."""
    lost = rng.random(case.length) < 0.005
    lost[:2] = False
    case.missing = frozenset(int(one) for one in np.flatnonzero(lost))
    for name, one in case.nodes.items():
        if one.resources:
            one.resources["limit"] = np.full(case.length, 4.0)
        if name not in {case.culprit, case.entry} and rng.random() < 0.05:
            one.silent_from, one.silent_until = 0, int(start * rng.uniform(0.3, 0.7))


@dataclass(frozen=True, slots=True)
class _Trouble:
    """What is wrong with which service, and how much of it in each interval, 0 to 1."""

    fault: str
    culprit: int
    on: Floats


class _Model:
    def __init__(
        self, rng: Rng, what: Shop, calls: dict[tuple[int, int], float], count: int, trouble: _Trouble
    ) -> None:
        self.rng, self.what, self.calls = rng, what, calls
        self.fault, self.culprit, self.on = trouble.fault, trouble.culprit, trouble.on
        fault, on = trouble.fault, trouble.on
        self.start = int(np.flatnonzero(on)[0]) if fault else what.length
        self.strength = exp(rng.uniform(log(0.25), log(1.6)))
        self.visits = np.zeros(count)
        self.visits[0] = 1.0
        for (caller, callee), ratio in sorted(calls.items()):
            self.visits[callee] += ratio * self.visits[caller]
        self.utilisation = rng.uniform(0.15, 0.55, count)
        self.base = 10.0 ** rng.uniform(0.3, 1.6, count)
        self.load = self._load()
        slowed: list[Floats] = self._slowed(self.load)
        # Callers that wait send less: some loops are closed, some half.
        closed = float(rng.choice([0.0, 0.5, 1.0]))
        usual = float(np.median(slowed[0][: max(self.start, 1)]))
        self.load = self.load * np.asarray(usual / slowed[0]).clip(max=1.0) ** closed if fault else self.load
        self.latency = self._slowed(self.load)
        self.own_failing, self.failing = self._failing(count)
        self.arrivals = [self._arrivals(one) for one in range(count)]

    def _load(self) -> Floats:
        what, rng = self.what, self.rng
        at = np.arange(what.length) * what.dt
        amplitude = float(rng.choice([0.0, 0.2, 0.5]))
        load: Floats = 1.0 + amplitude * np.sin(2.0 * np.pi * (at / _DAY + rng.random()))
        load *= np.exp(0.04 * autoregressive(rng, what.length, float(rng.uniform(3.0, 30.0))))
        # Bursts of demand that are nobody's fault.
        for _ in range(rng.poisson(what.length / 600.0)):
            begin, lasts = int(rng.integers(0, what.length)), int(rng.integers(2, 12))
            load[begin : begin + lasts] *= rng.uniform(1.2, 1.7)
        return np.asarray(load, dtype=np.float64)

    def _own(self, one: int, load: Floats) -> Floats:
        busy = np.clip(self.utilisation[one] * load, 0.0, 0.95)
        own: Floats = np.asarray(self.base[one] * (1.0 + 0.5 * busy / (1.0 - busy)), dtype=np.float64)
        if one != self.culprit:
            return own
        hard = self.on * self.strength
        factor = {"cpu": 2.5, "memory": 1.2, "disk": 2.0, "loss": 0.8, "errors": -0.3, "killed": 0.0, "delay": 0.0}
        own = own * (1.0 + factor[self.fault] * hard)
        late = 40.0 + 3.0 * self.base[one] if self.fault == "delay" else 0.0
        return np.asarray(own + hard * late, dtype=np.float64)

    def _slowed(self, load: Floats) -> list[Floats]:
        total = [self._own(one, load) for one in range(len(self.visits))]
        for (caller, callee), ratio in sorted(self.calls.items(), key=lambda item: -item[0][1]):
            total[caller] = total[caller] + ratio * total[callee]
        return total

    def _failing(self, count: int) -> tuple[list[Floats], list[Floats]]:
        own = [np.full(self.what.length, float(self.rng.choice([0.0, 0.0005, 0.003]))) for _ in range(count)]
        hard = {"loss": 0.06, "errors": 0.3, "killed": 1.0}.get(self.fault, 0.0)
        if self.fault:
            scale = 1.0 if self.fault == "killed" else self.strength
            own[self.culprit] = np.minimum(own[self.culprit] + hard * self.on * scale, 1.0)
        total = [one.copy() for one in own]
        for (caller, callee), ratio in sorted(self.calls.items(), key=lambda item: -item[0][1]):
            total[caller] = 1.0 - (1.0 - total[caller]) * (1.0 - 0.9 * min(ratio, 1.0) * total[callee])
        return own, total

    def _arrivals(self, one: int) -> Floats:
        mean = self.what.rate * self.what.dt * self.visits[one] * self.load
        return np.asarray(self.rng.poisson(mean), dtype=np.float64)

    def _timed(self, mean: Floats, requests: Floats, into: Measured) -> None:
        rng, length = self.rng, self.what.length
        there = requests > 0.0
        noise = (
            1.0 + rng.normal(size=length) * 0.7 / np.sqrt(np.maximum(requests, 1.0)) + 0.02 * rng.normal(size=length)
        )
        values = {"avg": mean * np.maximum(noise, 0.1)}
        tail = 1.0 + 3.0 * self.on * (self.fault == "loss")
        values["p50"] = values["avg"] * 0.8 * (1.0 + 0.03 * rng.normal(size=length))
        values["p99"] = values["avg"] * 3.5 * tail * np.exp(0.15 * rng.normal(size=length))
        into.latency = {name: np.where(there, one, np.nan) for name, one in values.items()}

    def _told(self, mean: Floats, failing: Floats, requests: Floats) -> Measured:
        found = Measured(requests=requests)
        found.errors = self.rng.binomial(requests.astype(np.int64), np.clip(failing, 0.0, 1.0)).astype(np.float64)
        self._timed(mean, requests, found)
        return found

    def call(self, edge: tuple[int, int]) -> Measured:
        caller, callee = edge
        mean = self.what.rate * self.what.dt * self.visits[caller] * self.calls[edge] * self.load
        return self._told(
            self.latency[callee], self.failing[callee], np.asarray(self.rng.poisson(mean), dtype=np.float64)
        )

    def outside(self) -> Measured:
        return self._told(self.latency[0], self.failing[0], self.arrivals[0])

    def node(self, one: int) -> Measured:
        what = self.what
        found = Measured()
        gone = self.fault == "killed" and one == self.culprit
        if what.calls:
            found = self._told(self.latency[one], self.failing[one], self.arrivals[one] * (1.0 - self.on * gone))
        if what.gauges:
            for pod in range(what.pods):
                mark = f"{pod}." if what.pods > 1 else ""
                found.resources |= {f"{mark}{name}": values for name, values in self._gauges(one, pod).items()}
        if gone and self.rng.random() < 0.5:
            found.silent_from, found.silent_until = self.start, self.start + what.fault
        return found

    def _gauges(self, one: int, pod: int) -> dict[str, Floats]:
        rng, length = self.rng, self.what.length
        hit = one == self.culprit and (self.what.pods == 1 or pod < 2)
        on = self.on * self.strength if hit else np.zeros(length)
        kind, alive = self.fault, 1.0 - self.on * (hit and self.fault == "killed")
        work = self.utilisation[one] * self.load * alive
        idle = float(rng.uniform(0.005, 0.03))
        cpu = (
            idle + work * np.exp(float(rng.uniform(0.03, 0.12)) * rng.normal(size=length)) + 0.4 * on * (kind == "cpu")
        )
        memory = 200.0 + 40.0 * sawtooth(rng, length, float(rng.uniform(20.0, 90.0))) * (rng.random() < 0.5)
        memory = memory + walk(rng, length, 0.5) + 20.0 * on * (kind == "cpu")
        memory = memory * (1.0 + 1.2 * on * (kind == "memory")) * np.maximum(alive, 0.02)
        traffic = self.visits[one] * self.load * alive * (1.0 - 0.3 * on * (kind == "loss"))
        noise = float(rng.uniform(0.03, 0.15))
        disk = rng.gamma(2.0, 1.0, length) * (1.0 + 6.0 * on * (kind == "disk"))
        inflight = self.what.rate * self.visits[one] * self.load * self.latency[one] / 1000.0 * alive
        return {
            "cpu": np.clip(cpu, 0.0, 1.0),
            "mem": memory,
            "net.rx": traffic * 2e4 * np.exp(noise * rng.normal(size=length)),
            "net.tx": traffic * 5e4 * np.exp(noise * rng.normal(size=length)),
            "disk": disk,
            "threads": 8.0 + rng.poisson(inflight),
        }
