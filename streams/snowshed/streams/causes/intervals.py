"""Reads a stream of measurements by interval: JSON lines that any monitoring system can write.

::

    {"kind": "meta", "id": "night-7", "dt": 60, "edges": [["web", "orders"]], "alarm": {"node": "web", "t": 480}}
    {"kind": "node", "t": 0, "dt": 60, "node": "web", "requests": 90, "errors": 1, "lat_ms": {"avg": 31.5, "p99": 90}}
    {"kind": "edge", "t": 0, "dt": 60, "caller": "web", "callee": "orders", "shared": 1, "requests": 90, "errors": 0}
    {"kind": "end", "t": 0, "dt": 60}

`t` is the start of an interval of `dt` seconds, and what is in it is known at `t + dt`. Every key but `kind` and `t`
may be absent or null; other keys and kinds are ignored. Where no `end` closes an interval, the next one's first record
does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import isfinite, isnan, nan
from typing import Any, cast

import orjson

from snowshed.schemas.errors import ConfigurationError

__all__ = ["GivenAlarm", "Interval", "IntervalStream", "Meta", "Sample", "read_intervals"]

_LATENCIES = ("avg", "p50", "p90", "p95", "p99")
_CONTRACT = "docs/howto-causes.md describes the lines"


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenAlarm:
    """An alarm that somebody else has raised."""

    node: str
    metric: str
    """`latency`, `availability`, or another name; empty when not said."""
    t: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Meta:
    """What a stream says of itself in its first line."""

    id: str = ""
    dt: float = nan
    edges: tuple[tuple[str, str], ...] = ()
    """Caller and callee."""
    alarm: GivenAlarm | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """What one interval measured at a node or along an edge; NaN is not measured."""

    requests: float = nan
    errors: float = nan
    latency: Mapping[str, float] = field(default_factory=dict[str, float])
    """Milliseconds by statistic: avg, p50, p90, p95, p99."""
    resources: Mapping[str, float] = field(default_factory=dict[str, float])
    shared: float = 1.0
    """On how many edges the same totals stand, because only the callee measured them."""


@dataclass(slots=True)
class Interval:
    """All that was measured in one interval."""

    t: float
    dt: float
    nodes: dict[str, Sample] = field(default_factory=dict[str, Sample])
    edges: dict[tuple[str, str], Sample] = field(default_factory=dict[tuple[str, str], Sample])

    @property
    def known_at(self) -> float:
        """When it is over."""
        return self.t + self.dt


@dataclass(frozen=True, slots=True)
class IntervalStream:
    """A stream's first line, and its intervals as they come."""

    meta: Meta
    intervals: Iterator[Interval]


def read_intervals(lines: Iterable[bytes], name: str) -> IntervalStream:
    """Read a stream.

    Args:
        lines: in order of time.
        name: where they come from, for errors.

    Raises:
        ConfigurationError: a line is no JSON object, or lacks what the contract demands.
    """
    rows = _rows(lines, name)
    first = next(rows, None)
    if first is None:
        raise ConfigurationError(f"{name} is empty: {_CONTRACT}")
    number, row = first
    if row["kind"] == "meta":
        return IntervalStream(_meta(row, name), _intervals(rows, name))
    return IntervalStream(Meta(), _intervals(_with(number, row, rows), name))


def _with(number: int, row: dict[str, Any], rows: Iterator[tuple[int, dict[str, Any]]]) -> Iterator[Any]:
    yield number, row
    yield from rows


def _rows(lines: Iterable[bytes], name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row: object = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise ConfigurationError(f"{name}, line {number} is no JSON: {error}; {_CONTRACT}") from error
        if not isinstance(row, dict) or not isinstance(cast("dict[str, Any]", row).get("kind"), str):
            raise ConfigurationError(f"{name}, line {number} has no kind: {_CONTRACT}")
        yield number, cast("dict[str, Any]", row)


def _meta(row: dict[str, Any], name: str) -> Meta:
    pairs: object = row.get("edges") or []
    try:
        edges = tuple((str(caller), str(callee)) for caller, callee in cast("list[Any]", pairs))
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"{name}: edges must be a list of [caller, callee]") from error
    return Meta(id=str(row.get("id") or name), dt=_number(row.get("dt")), edges=edges, alarm=_alarm(row.get("alarm")))


def _alarm(row: object) -> GivenAlarm | None:
    if not isinstance(row, dict):
        return None
    given = cast("dict[str, Any]", row)
    metric = str(given.get("metric") or "")
    return GivenAlarm(node=str(given.get("node") or ""), metric=metric, t=_number(given.get("t")))


def _intervals(rows: Iterator[tuple[int, dict[str, Any]]], name: str) -> Iterator[Interval]:
    current: Interval | None = None
    for number, row in rows:
        t = _number(row.get("t"))
        if not isfinite(t):
            if row["kind"] in {"node", "edge", "end"}:
                raise ConfigurationError(f"{name}, line {number} has no time t: {_CONTRACT}")
            continue
        if current is not None and t < current.t:
            raise ConfigurationError(f"{name}, line {number} goes back in time, from {current.t:g} to {t:g}: sort it")
        if current is not None and t > current.t:
            yield current
            current = None
        current = current or Interval(t, _number(row.get("dt"), 1.0))
        _take(current, row, f"{name}, line {number}")
    if current is not None:
        yield current


def _take(interval: Interval, row: dict[str, Any], where: str) -> None:
    if row["kind"] == "node":
        interval.nodes[_text(row, "node", where)] = _sample(row)
    elif row["kind"] == "edge":
        interval.edges[_text(row, "caller", where), _text(row, "callee", where)] = _sample(row)


def _text(row: dict[str, Any], key: str, where: str) -> str:
    value = row.get(key)
    if not isinstance(value, str) or not value:
        raise ConfigurationError(f"{where} has no {key}: {_CONTRACT}")
    return value


def _sample(row: dict[str, Any]) -> Sample:
    requests, errors = _number(row.get("requests")), _number(row.get("errors"))
    if isnan(errors):
        errors = requests * (1.0 - _number(row.get("availability")))
    latency = _numbers(row.get("lat_ms"))
    return Sample(
        requests,
        errors,
        {name: latency[name] for name in _LATENCIES if name in latency},
        _numbers(row.get("res")),
        max(_number(row.get("shared"), 1.0), 1.0),
    )


def _numbers(row: object) -> dict[str, float]:
    if not isinstance(row, dict):
        return {}
    found = {str(key): _number(value) for key, value in cast("Mapping[object, object]", row).items()}
    return {key: value for key, value in found.items() if isfinite(value)}


def _number(value: object, otherwise: float = nan) -> float:
    return float(value) if isinstance(value, int | float) else otherwise
