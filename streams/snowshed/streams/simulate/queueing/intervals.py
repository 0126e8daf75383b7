"""A run as a stream of measurements by interval, which any tool can read and `snowshed replay --causes` does.

Lines in the order of time: `meta` once; then for each second one `edge` a pair of services, one `node` a service, and
`end`. `t` is the second's start. Keys that a reader does not know are to be ignored.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence
from math import isnan
from pathlib import Path
from typing import Any

import orjson

from snowshed.streams.simulate.queueing.scenario import Scenario
from snowshed.streams.simulate.queueing.seconds import Second

__all__ = ["write_intervals"]

_COUNTS = (
    "first",
    "ok",
    "completions",
    "timeout",
    "rejected",
    "error_local",
    "error_downstream",
    "in_flight_max",
    "cache_hits",
    "cache_lookups",
)


def write_intervals(path: Path, issue: str, scenario: Scenario, run: Sequence[Sequence[Second]]) -> None:
    """Write a run, the same bytes for the same run.

    Args:
        path: gzipped when its name ends in `.gz`.
        issue: what the stream calls itself.
        scenario: what was run.
        run: its seconds, each edge by edge.
    """
    text = b"".join(orjson.dumps(line) + b"\n" for line in _lines(issue, scenario, run))
    path.write_bytes(gzip.compress(text, mtime=0) if path.suffix == ".gz" else text)


def _lines(issue: str, scenario: Scenario, run: Sequence[Sequence[Second]]) -> Iterator[dict[str, Any]]:
    edges = [[link.caller, link.callee] for link in scenario.fleet.links]
    yield {"kind": "meta", "set": "snowshed-simulated", "id": issue, "dt": 1, "edges": edges}
    for second in run:
        t = second[0].at - 1
        yield from (_edge(edge) for edge in second)
        for service in scenario.fleet.services:
            yield _node(service.name, t, [edge for edge in second if edge.callee == service.name])
        yield {"kind": "end", "t": t, "dt": 1}


def _edge(edge: Second) -> dict[str, Any]:
    latencies = {"p50": edge.latency_p50, "p90": edge.latency_p90, "p99": edge.latency_p99}
    return {
        "kind": "edge",
        "t": edge.at - 1,
        "dt": 1,
        "caller": edge.caller,
        "callee": edge.callee,
        "shared": 1,
        **_requests([edge]),
        "lat_ms": {name: None if isnan(value) else round(value * 1000, 1) for name, value in latencies.items()},
        **{name: getattr(edge, name) for name in _COUNTS},
        "queue_delay_mean": round(edge.queue_delay_mean, 4),
        "queue_delay_max": round(edge.queue_delay_max, 4),
    }


def _node(name: str, t: float, edges: Sequence[Second]) -> dict[str, Any]:
    taken = sum(edge.taken_up for edge in edges)
    waited = sum(edge.queue_delay_mean * edge.taken_up for edge in edges)
    resources = {"queue_delay": round(waited / taken, 4) if taken else None}
    return {"kind": "node", "t": t, "dt": 1, "node": name, **_requests(edges), "res": resources}


def _requests(edges: Sequence[Second]) -> dict[str, Any]:
    requests = sum(edge.attempts for edge in edges)
    errors = sum(edge.timeout + edge.rejected + edge.error_local + edge.error_downstream for edge in edges)
    ended = errors + sum(edge.ok for edge in edges)
    return {
        "requests": requests,
        "errors": errors,
        "availability": round(1 - errors / ended, 4) if ended else None,
    }
