"""What is made: a stream that keeps the contract, with what is wrong in it and where."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite, nan

import orjson
from tests.benchmarks.foreign.gauges import Floats

__all__ = ["Case", "Measured"]


@dataclass(slots=True)
class Measured:
    """Series of a node or an edge, one value an interval; NaN is not measured."""

    requests: Floats | None = None
    errors: Floats | None = None
    latency: dict[str, Floats] = field(default_factory=dict[str, Floats])
    resources: dict[str, Floats] = field(default_factory=dict[str, Floats])
    silent_from: int = 10**9
    """First interval without a row."""
    silent_until: int = 10**9

    def row(self, number: int) -> dict[str, object] | None:
        if self.silent_from <= number < self.silent_until:
            return None
        found: dict[str, object] = {}
        if self.requests is not None:
            found["requests"] = _value(self.requests[number])
        if self.errors is not None:
            found["errors"] = _value(self.errors[number])
        if self.latency:
            found["lat_ms"] = {name: _value(values[number]) for name, values in self.latency.items()}
        if self.resources:
            found["res"] = {name: _value(values[number]) for name, values in self.resources.items()}
        return found


@dataclass(slots=True)
class Case:
    """One stream and the truth about it."""

    shape: str
    id: str
    dt: float
    length: int
    nodes: dict[str, Measured]
    edges: dict[tuple[str, str], Measured]
    graph: tuple[tuple[str, str], ...]
    """What the first line says of calls."""
    entry: str = ""
    fault: str = ""
    """Its kind; empty where nothing is wrong."""
    culprit: str = ""
    began: float = nan
    ended: float = nan
    missing: frozenset[int] = frozenset()
    """Intervals that were lost."""

    def lines(self, *, alarm: bool) -> list[bytes]:
        """The stream; with the alarm at the entry, three intervals into the fault, or without."""
        meta: dict[str, object] = {"kind": "meta", "id": self.id, "dt": self.dt, "edges": self.graph}
        if alarm and isfinite(self.began):
            meta["alarm"] = {"node": self.entry, "metric": None, "t": self.began + 3.0 * self.dt}
        out = [orjson.dumps(meta)]
        for number in range(self.length):
            if number not in self.missing:
                out += self._interval(number)
        return out

    def _interval(self, number: int) -> list[bytes]:
        at: dict[str, object] = {"t": number * self.dt, "dt": self.dt}
        rows: list[bytes] = []
        for name, one in self.nodes.items():
            if (row := one.row(number)) is not None:
                rows.append(orjson.dumps({"kind": "node", **at, "node": name, **row}))
        for (caller, callee), one in self.edges.items():
            if (row := one.row(number)) is not None:
                rows.append(orjson.dumps({"kind": "edge", **at, "caller": caller, "callee": callee, **row}))
        rows.append(orjson.dumps({"kind": "end", **at}))
        return rows


def _value(value: float) -> float | None:
    return float(value) if isfinite(value) else None
