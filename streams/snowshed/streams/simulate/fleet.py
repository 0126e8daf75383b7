"""The fleet: a gateway in front of three services, a database with two replicas, and what each of them reports."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import log
from random import Random
from types import MappingProxyType

from snowshed.producers.batching import timing_batches
from snowshed.producers.node import Node
from snowshed.producers.outcome import Outcome
from snowshed.producers.window import Row, Window
from snowshed.schemas.records import Heartbeat, Marker, NodeStatus, ReplicaRole, TimingBatch
from snowshed.streams.simulate.events import Event

__all__ = ["BEAT", "NODES", "NORMAL", "Condition", "Load", "Span", "beats", "markers", "timings"]

BEAT = 0.5
_REPORT = 1.0
_ROW = 0.5
_POLL = 0.25
_ROUND_TRIP = 0.004
_CLIENT_TIMEOUT = 1.0
_BYTES_A_SECOND = 65_536.0
_BOOTED = 100_000.0
"""Seconds between a simulated host's start and the scenario's."""

DATASET = "orders-db"
SOURCE = "primary"
REPLICAS = ("r1", "r2")
AGENT = "orders-db-1"

Edge = tuple[str, str]
"""Caller and callee."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Calls along one edge, over the whole fleet."""

    rate: float
    """First attempts per second."""
    retries: float = 0.0
    """Further attempts per first attempt."""
    failing: float = 0.002
    """Share of the attempts that the callee fails."""
    failing_behind: float = 0.0
    """Share of the attempts that fail because of what the callee itself calls."""
    timing_out: float = 0.0
    """Share of the attempts that nobody waits for any longer."""
    latency: float = 0.02
    """Median, in seconds."""
    queue_delay: float = 0.001
    """Mean, in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """How the fleet fares."""

    loads: Mapping[Edge, Load]
    silent: frozenset[str] = frozenset()
    """Nodes that have stopped."""
    stalled: frozenset[str] = frozenset()
    """Replicas that receive writes but do not apply them."""
    replicated: bool = False
    """Whether the database's agent reports replication."""


@dataclass(frozen=True, slots=True)
class Span:
    """The time that a fleet runs, and how it fares at each moment of it."""

    start: float
    end: float
    condition: Callable[[float], Condition]


NODES: Mapping[str, str] = MappingProxyType(
    {
        "gateway-1": "gateway",
        "gateway-2": "gateway",
        "orders-1": "orders",
        "orders-2": "orders",
        "payments-1": "payments",
        "payments-2": "payments",
        "stock-1": "stock",
        "stock-2": "stock",
        "orders-db-1": "orders-db",
    }
)
"""Services by node."""

NORMAL = Condition(
    loads=MappingProxyType(
        {
            ("gateway", "orders"): Load(rate=80.0, latency=0.045),
            ("gateway", "stock"): Load(rate=60.0),
            ("orders", "payments"): Load(rate=60.0, latency=0.03),
            ("orders", "stock"): Load(rate=40.0),
            ("orders", "orders-db"): Load(rate=120.0, latency=0.004),
        }
    )
)


def beats(node: str, span: Span, random: Random) -> Iterator[Event]:
    """One node's heartbeats; a node that was silent comes back as a new process, and at the end it takes its leave."""
    at = span.start + random.uniform(0.0, BEAT)
    seq, booted = 0, _BOOTED
    while at < span.end:
        if node in span.condition(at).silent:
            seq, booted = 0, 0.0
        else:
            yield _beat(node, at, random, seq=seq, monotonic=booted + at - span.start)
            seq += 1
        at += BEAT * random.uniform(0.98, 1.02)
    monotonic = booted + span.end - span.start
    yield _beat(node, span.end, random, seq=seq, monotonic=monotonic, status=NodeStatus.LEAVING)


def timings(node: str, span: Span, random: Random) -> Iterator[Event]:
    """One node's reports of the calls it made and served, a window at a time."""
    service = NODES[node]
    reporter = Node(name=node, service=service)
    at = span.start + _REPORT + random.uniform(0.0, _REPORT)
    while at < span.end:
        condition = span.condition(at - _REPORT / 2)
        if node not in condition.silent:
            window = Window(at - _REPORT, 0.0, rows=100)
            for edge, load in condition.loads.items():
                if service in edge:
                    share = load.rate * _REPORT / _peers(service, condition)
                    _count(_row(window, edge, service), load, share, random, served=service == edge[1])
            for batch in timing_batches(window, reporter, seconds=_REPORT, sent_at=at, lost=0.0):
                yield _reported(at, batch)
        at += _REPORT


def markers(span: Span, random: Random) -> Iterator[Event]:
    """What the database's agent writes at the primary and reads at the replicas."""
    writes = [span.start + random.uniform(0.0, _ROW)]
    applied = dict.fromkeys(REPLICAS, 0)
    at = span.start
    while at < span.end:
        condition = span.condition(at)
        if at >= writes[-1]:
            yield _marker(at, span, SOURCE, row=len(writes) - 1, written_at=writes[-1])
            writes.append(writes[-1] + _ROW)
        for replica in REPLICAS:
            if replica not in condition.stalled:
                applied[replica] = max(len(writes) - 2, 0)
            if len(writes) > 1:
                row = applied[replica]
                yield _marker(at, span, replica, row=row, written_at=writes[row])
        at += _POLL


def _beat(
    node: str, at: float, random: Random, *, seq: int, monotonic: float, status: NodeStatus = NodeStatus.UP
) -> Event:
    beat = Heartbeat(
        node=node,
        service=NODES[node],
        zone="a" if node.endswith("1") else "b",
        host=node,
        status=status,
        seq=float(seq),
        sent_at=at,
        monotonic=monotonic,
        interval=BEAT,
        round_trip=_ROUND_TRIP,
        cpu=random.uniform(0.2, 0.4),
        memory=random.uniform(0.5, 0.55),
        pool=random.uniform(0.1, 0.3),
    )
    return Event(at, "heartbeats", node, beat)


def _peers(service: str, condition: Condition) -> int:
    return max(1, sum(1 for node, own in NODES.items() if own == service and node not in condition.silent))


def _row(window: Window, edge: Edge, service: str) -> Row:
    return window.open_row((service == edge[1], *edge, "call", ""))[1]


def _count(row: Row, load: Load, share: float, random: Random, *, served: bool) -> None:
    """Count one window's calls of an edge, `share` first attempts of which are this node's."""
    first = round(share * random.uniform(0.97, 1.03))
    attempts = round(first * (1.0 + load.retries))
    for number in range(attempts):
        seconds, outcome = _call(load, random)
        waited = -load.queue_delay * log(1.0 - random.random()) if served else 0.0
        row.count(seconds, outcome, int(number >= first), waited, 1 + round(load.rate * load.latency))
    row.group.turns_anomalous()


def _call(load: Load, random: Random) -> tuple[float, Outcome]:
    chance = random.random()
    if chance < load.timing_out:
        return _CLIENT_TIMEOUT, Outcome.TIMEOUT
    latency = load.latency * random.lognormvariate(0.0, 0.3)
    if chance < load.timing_out + load.failing_behind:
        return latency, Outcome.DOWNSTREAM
    failed = chance < load.timing_out + load.failing_behind + load.failing
    return latency, Outcome.LOCAL if failed else Outcome.OK


def _reported(at: float, batch: TimingBatch) -> Event:
    return Event(at, "timings", batch.callee, batch)


def _marker(at: float, span: Span, server: str, *, row: int, written_at: float) -> Event:
    elapsed = at - span.start
    source = server == SOURCE
    marker = Marker(
        dataset=DATASET,
        replica=server,
        role=ReplicaRole.SOURCE if source else ReplicaRole.REPLICA,
        system="postgresql",
        node=AGENT,
        writer=AGENT,
        version=float(row),
        written_at=written_at,
        seen_at=written_at if source else at,
        sent_at=at,
        monotonic=_BOOTED + elapsed,
        round_trip=_ROUND_TRIP,
        row_period=_ROW,
        poll_period=_ROW if source else _POLL,
        position=(written_at - span.start + 1.0) * _BYTES_A_SECOND,
        source_position=(elapsed + 1.0) * _BYTES_A_SECOND,
    )
    return Event(at, "markers", DATASET, marker)
