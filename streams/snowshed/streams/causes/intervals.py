"""Reads a stream of measurements by interval: JSON lines that any monitoring system can write.

::

    {"kind": "meta", "id": "night-7", "dt": 60, "edges": [["web", "orders"]], "alarm": {"node": "web", "t": 480}}
    {"kind": "node", "t": 0, "dt": 60, "node": "web", "requests": 90, "errors": 1, "lat_ms": {"avg": 31.5, "p99": 90}}
    {"kind": "edge", "t": 0, "dt": 60, "caller": "web", "callee": "orders", "shared": 1, "requests": 90, "errors": 0}
    {"kind": "end", "t": 0, "dt": 60}

`t` is the start of an interval of `dt` seconds, and what is in it is known at `t + dt`. Every key but `kind` and `t`
may be absent or null; other keys and kinds are ignored. Where no row says its `dt`, the first line's counts, or else
the distance to the next interval. Where no `end` closes an interval, the next one's first record does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import inf, isfinite, isnan, nan
from typing import Any, cast

from snowshed.schemas.errors import ConfigurationError
from snowshed.streams.causes.rows import CONTRACT, BadLine, Rows

__all__ = ["LATENCIES", "GivenAlarm", "Interval", "IntervalStream", "Meta", "Sample", "read_intervals"]

LATENCIES = ("avg", "p50", "p90", "p95", "p99")
"""Statistics of latency, the preferred first."""
_LARGEST = 1e60
"""Beyond that, or its reciprocal, nothing has been measured; squares and ratios would overflow."""
_KINDS = {"node", "edge", "end"}


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenAlarm:
    """An alarm that somebody else has raised."""

    node: str
    metric: str
    """`latency`, `availability`, or another name of either; empty when not said."""
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


def read_intervals(
    lines: Iterable[bytes], name: str, leave_out: Callable[[BadLine], None] | None = None
) -> IntervalStream:
    """Read a stream.

    Args:
        lines: in order of time.
        name: where they come from, for errors.
        leave_out: told of each line that keeps not to the contract; the rest goes on. None makes the first an error.

    Raises:
        ConfigurationError: the stream is empty, or a line is bad and nobody wants to be told.
    """
    rows = Rows(lines, name, leave_out or _refuse)
    first = next(rows, None)
    if first is None:
        raise ConfigurationError(f"{name} is empty: {CONTRACT}")
    if first["kind"] == "meta":
        meta = _meta(first, name)
        return IntervalStream(meta, _spaced(_intervals(rows), meta.dt))
    rows.put_back(first)
    return IntervalStream(Meta(), _spaced(_intervals(rows), nan))


def _refuse(bad: BadLine) -> None:
    raise ConfigurationError(f"{bad}: {CONTRACT}")


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


def _intervals(rows: Rows) -> Iterator[Interval]:
    current: Interval | None = None
    ended = -inf
    for row in rows:
        if row["kind"] not in _KINDS:
            continue
        t = _number(row.get("t"))
        if not isfinite(t):
            rows.leave_out("has no time t")
        elif t <= ended or (current is not None and t < current.t):
            rows.leave_out(f"is late: the interval at {t:g} is over; sort the lines by t")
        else:
            if current is not None and t > current.t:
                ended = current.t
                yield current
                current = None
            current = current or Interval(t, nan)
            if lacking := _take(current, row):
                rows.leave_out(f"has no {lacking}")
            elif row["kind"] == "end":
                ended = t
                yield current
                current = None
    if current is not None:
        yield current


def _spaced(intervals: Iterator[Interval], usual: float) -> Iterator[Interval]:
    """The intervals, each with its length; where nobody says one, it is as long as to the next."""
    held: Interval | None = None
    for interval in intervals:
        if held is not None:
            usual = held.dt = interval.t - held.t
            yield held
            held = None
        if isnan(interval.dt):
            interval.dt = usual
        if interval.dt > 0.0:
            yield interval
        else:
            held = interval
    if held is not None:
        held.dt = 1.0
        yield held


def _take(interval: Interval, row: dict[str, Any]) -> str:
    """Add a row; the name of what it lacks."""
    dt = _number(row.get("dt"))
    if dt > 0.0 and isfinite(dt):
        interval.dt = dt
    keys = {"node": ("node",), "edge": ("caller", "callee")}.get(row["kind"], ())
    names = [row.get(key) for key in keys]
    for key, name in zip(keys, names, strict=True):
        if not isinstance(name, str) or not name:
            return key
    if row["kind"] == "node":
        interval.nodes[cast("str", names[0])] = _sample(row)
    elif row["kind"] == "edge":
        interval.edges[cast("str", names[0]), cast("str", names[1])] = _sample(row)
    return ""


def _sample(row: dict[str, Any]) -> Sample:
    requests, errors = _number(row.get("requests")), _number(row.get("errors"))
    if isnan(errors):
        errors = requests * (1.0 - _number(row.get("availability")))
    latency = _numbers(row.get("lat_ms"))
    return Sample(
        requests,
        errors,
        {name: latency[name] for name in LATENCIES if name in latency},
        _numbers(row.get("res")),
        max(_number(row.get("shared"), 1.0), 1.0),
    )


def _numbers(row: object) -> dict[str, float]:
    if not isinstance(row, dict):
        return {}
    found = {str(key): _number(value) for key, value in cast("Mapping[object, object]", row).items()}
    return {key: value for key, value in found.items() if isfinite(value)}


def _number(value: object, otherwise: float = nan) -> float:
    if not isinstance(value, int | float) or abs(value) > _LARGEST:
        return otherwise
    return float(value) if abs(value) > 1.0 / _LARGEST else 0.0
