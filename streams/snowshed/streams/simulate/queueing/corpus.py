"""A labelled corpus: runs of the named scenarios as one stream of JSON lines each, and what is true of them.

A stream's lines, in the order of time: `meta` once; then for each second one `edge` a pair of services, one `node` a
service, and `end`. `t` is the second's start. Keys that a reader does not know are to be ignored.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import Any

import orjson

from snowshed.streams.simulate.queueing.catalogue import NAMED
from snowshed.streams.simulate.queueing.scenario import Scenario
from snowshed.streams.simulate.queueing.seconds import Second
from snowshed.streams.simulate.queueing.summary import summarize
from snowshed.streams.simulate.queueing.troubles import CapacityLoss, Deploy, Flush, Gray, Partition, Spike, Trouble

__all__ = ["PARTS", "write_corpus"]

PARTS: Mapping[str, range] = {"dev": range(1, 4), "test": range(101, 104)}
"""Seeds by part."""
_KINDS: Mapping[type[Trouble], str] = {
    CapacityLoss: "capacity_loss",
    Deploy: "deploy",
    Flush: "cold_cache",
    Gray: "gray_node",
    Partition: "partition",
    Spike: "benign_spike",
}
_SECONDS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class _Label:
    issue: str
    part: str
    scenario: str
    seed: int
    kind: str
    trigger: str | tuple[str, str] | None
    """A service or an edge."""
    start: float | None
    end: float | None
    metastable: bool
    """Whether goodput stayed down until the stream's end, the trouble being over."""


def write_corpus(folder: Path, names: Sequence[str] = tuple(NAMED)) -> int:
    """Write `<part>/<issue>.jsonl.gz` and `<part>/labels.jsonl`; the size of all of it in bytes."""
    for part, seeds in PARTS.items():
        (folder / part).mkdir(parents=True, exist_ok=True)
        labels = [_write(folder / part, part, _shortened(NAMED[name]), seed) for name in names for seed in seeds]
        text = b"".join(orjson.dumps(label) + b"\n" for label in labels)
        (folder / part / "labels.jsonl").write_bytes(text)
    return sum(path.stat().st_size for path in folder.rglob("*.jsonl*"))


def _shortened(scenario: Scenario) -> Scenario:
    return scenario.lasting(min(scenario.seconds, _SECONDS)) if scenario.troubles else scenario


def _write(folder: Path, part: str, scenario: Scenario, seed: int) -> _Label:
    issue = f"{scenario.name}-{seed}"
    run = list(scenario.run(seed))
    text = b"".join(orjson.dumps(line) + b"\n" for line in _lines(issue, scenario, run))
    # No time stamp: the same seed gives the same bytes.
    (folder / f"{issue}.jsonl.gz").write_bytes(gzip.compress(text, mtime=0))
    return _label(issue, part, scenario, seed, run)


def _label(issue: str, part: str, scenario: Scenario, seed: int, run: Sequence[Sequence[Second]]) -> _Label:
    came_to = summarize(run, scenario.fleet.entries, scenario.start, scenario.end)
    trouble = scenario.troubles[0] if scenario.troubles else None
    daily = any(load.swing for load in scenario.fleet.loads)
    return _Label(
        issue=issue,
        part=part,
        scenario=scenario.name,
        seed=seed,
        kind=_KINDS[type(trouble)] if trouble else ("daily_curve" if daily else "calm"),
        trigger=_trigger(trouble) if trouble else None,
        start=scenario.start if trouble else None,
        end=scenario.end if trouble else None,
        metastable=bool(trouble) and came_to.outcome == "metastable",
    )


def _trigger(trouble: Trouble) -> str | tuple[str, str]:
    match trouble:
        case CapacityLoss() | Gray() | Deploy():
            return trouble.service
        case Partition() | Flush() | Spike():
            return trouble.caller, trouble.callee


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
        **_counts([edge]),
        "lat_ms": {name: None if isnan(value) else round(value * 1000, 1) for name, value in latencies.items()},
        "first": edge.first,
        "ok": edge.ok,
        "completions": edge.completions,
        "timeout": edge.timeout,
        "rejected": edge.rejected,
        "error_local": edge.error_local,
        "error_downstream": edge.error_downstream,
        "in_flight_max": edge.in_flight_max,
        "queue_delay_mean": round(edge.queue_delay_mean, 4),
        "queue_delay_max": round(edge.queue_delay_max, 4),
        "cache_hits": edge.cache_hits,
        "cache_lookups": edge.cache_lookups,
    }


def _node(name: str, t: float, edges: Sequence[Second]) -> dict[str, Any]:
    taken = sum(edge.completions for edge in edges)
    waited = sum(edge.queue_delay_mean * edge.completions for edge in edges)
    resources = {"queue_delay": round(waited / taken, 4) if taken else None}
    return {"kind": "node", "t": t, "dt": 1, "node": name, **_counts(edges), "res": resources}


def _counts(edges: Sequence[Second]) -> dict[str, Any]:
    requests = sum(edge.attempts for edge in edges)
    errors = sum(edge.timeout + edge.rejected + edge.error_local + edge.error_downstream for edge in edges)
    ended = errors + sum(edge.ok for edge in edges)
    return {
        "requests": requests,
        "errors": errors,
        "availability": round(1 - errors / ended, 4) if ended else None,
    }
