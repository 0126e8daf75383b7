"""`snowshed publish`: test events, so that a person can see the whole loop at work."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

import typer

from snowshed.producers.markers import MarkerReporter
from snowshed.producers.node import Node
from snowshed.producers.outcome import Outcome
from snowshed.producers.recorder import TimingRecorder
from snowshed.producers.transport import Outlet, Transport
from snowshed.schemas.errors import BrokerUnavailable, ConfigurationError
from snowshed.schemas.records import Heartbeat, NodeStatus
from snowshed.schemas.topics import Topics
from snowshed.streams.cli.console import print_json, steps
from snowshed.streams.cli.options import DEFAULT_BOOTSTRAP, DEFAULT_PREFIX, Bootstrap, Json, Prefix, connection_to
from snowshed.streams.cli.reaching import require_topics
from snowshed.streams.replay import read_recording
from snowshed.streams.simulate import SCENARIOS, Event, Scenario, again, record_scenario

__all__ = ["group"]

_FLUSH_TIMEOUT = 10.0
_RECORDED_PARTITIONS = 2
_RECORDED_START = 1_790_000_000.0
"""A fixed time, so that the same seed gives the same file."""

Service = Annotated[str, typer.Option(help="Service that the node is a part of.")]


def heartbeat(
    *,
    node: Annotated[str, typer.Option(help="Name of the node.")] = "demo-1",
    service: Service = "demo",
    count: Annotated[int, typer.Option(min=1, help="How many.")] = 1,
    interval: Annotated[float, typer.Option(min=0.01, help="Seconds between them.")] = 0.5,
    status: Annotated[NodeStatus, typer.Option(help="What the node says of itself.")] = NodeStatus.UP,
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP,
    prefix: Prefix = DEFAULT_PREFIX,
    json: Json = False,
) -> None:
    """Send heartbeats of a made-up node; once they end, the worker suspects it and then declares it dead."""
    with _published(bootstrap, prefix, "heartbeats", json) as outlet:
        for seq in range(count):
            if seq:
                time.sleep(interval)
            beat = Heartbeat(
                node=node,
                service=service,
                status=status,
                seq=float(seq),
                sent_at=time.time(),
                monotonic=time.monotonic(),
                interval=interval,
            )
            outlet.send("heartbeats", node, beat)


def timing(
    *,
    caller: Annotated[str, typer.Option(help="Service that calls.")] = "gateway",
    callee: Annotated[str, typer.Option(help="Service that is called.")] = "demo",
    operation: Annotated[str, typer.Option(help="What is asked of it.")] = "GET /",
    calls: Annotated[int, typer.Option(min=0, help="Original calls.")] = 100,
    attempts: Annotated[float, typer.Option(min=1, help="Attempts per original call; above 1 there are retries.")] = 1,
    failed: Annotated[float, typer.Option(min=0, max=1, help="Share of the attempts that fail.")] = 0,
    seconds: Annotated[float, typer.Option(min=0, help="How long each attempt takes.")] = 0.02,
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP,
    prefix: Prefix = DEFAULT_PREFIX,
    json: Json = False,
) -> None:
    """Send one report of calls from one service to another."""
    with _published(bootstrap, prefix, "timings", json) as outlet:
        recorder = TimingRecorder(Node.here(caller), outlet, window=3600.0)
        total = round(calls * attempts)
        for number in range(total):
            outcome = Outcome.LOCAL if number < failed * total else Outcome.OK
            recorder.observe(callee, operation, seconds, outcome=outcome, attempt=0 if number < calls else 1)
        recorder.stop()


def marker(
    *,
    dataset: Annotated[str, typer.Option(help="What is replicated.")] = "orders",
    replica: Annotated[str, typer.Option(help="The server that lags.")] = "r1",
    lag: Annotated[float, typer.Option(min=0, help="Seconds that it is behind.")] = 0,
    count: Annotated[int, typer.Option(min=1, help="How many times.")] = 1,
    interval: Annotated[float, typer.Option(min=0.01, help="Seconds between them.")] = 0.5,
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP,
    prefix: Prefix = DEFAULT_PREFIX,
    json: Json = False,
) -> None:
    """Send pairs of replication markers: a row just written at the primary, and an older one seen at a replica."""
    with _published(bootstrap, prefix, "markers", json) as outlet:
        node = Node.here("publisher")
        reporter = MarkerReporter(node, outlet, system="demo")
        for number in range(count):
            if number:
                time.sleep(interval)
            now = time.time()
            # Rows are numbered by time, so that a run goes on from the one before it.
            version = now // interval
            reporter.written(dataset, "primary", version=version, written_at=now, row_period=interval)
            reporter.seen(
                dataset,
                replica,
                version=version - lag // interval,
                writer=node.name,
                written_at=now - lag,
                seen_at=now,
                poll_period=interval,
                row_period=interval,
            )


def scenario(
    *,
    name: Annotated[str, typer.Argument(help=f"One of: {', '.join(SCENARIOS)}.")],
    seed: Annotated[int, typer.Option(help="The same seed gives the same events.")] = 1,
    duration: Annotated[float | None, typer.Option(min=1, help="Seconds that the trouble lasts (default: 12).")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write a recording for `snowshed replay` instead (gzipped if it ends in .gz).")
    ] = None,
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP,
    prefix: Prefix = DEFAULT_PREFIX,
    json: Json = False,
) -> None:
    """Play a small fleet's trouble in real time: a calm, the trouble, and the recovery.

    The worker opens an incident during the trouble and closes it after the recovery.
    """
    play = _scenario(name) if duration is None else _scenario(name).lasting(duration)
    if out is not None:
        count = record_scenario(out, play.events(seed, start=_RECORDED_START), _RECORDED_PARTITIONS)
        typer.echo(f"{count} records in {out}: fold them with `snowshed replay {out}`", err=True)
        return
    with steps() as step, _published(bootstrap, prefix, "heartbeats", json) as outlet:
        step(f"{name}: {play.description}")
        _play(play, seed, outlet, step)


def recording(
    *,
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A recording, of a live fleet or a simulated one.")],
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP,
    prefix: Prefix = DEFAULT_PREFIX,
    json: Json = False,
) -> None:
    """Send what producers reported in a recording again, in real time and as if it happened now.

    A worker judges it like anything else. Keep it apart from a live fleet by a --prefix of its own.
    """
    start = time.time()
    events, left_out = again(read_recording(path), start)
    if not events:
        raise ConfigurationError(f"{path} has no heartbeats, timings or markers to send")
    with steps() as step, _published(bootstrap, prefix, "heartbeats", json) as outlet:
        step(f"{path.name}: {len(events)} records over {events[-1].at - start:.0f} s")
        if left_out:
            step(f"{left_out} records of the inputs are no telemetry and are left out")
        for event in events:
            _send(event, outlet)


def _scenario(name: str) -> Scenario:
    try:
        return SCENARIOS[name.replace("_", "-")]
    except KeyError:
        raise ConfigurationError(f"there is no scenario {name!r}; there are {', '.join(SCENARIOS)}") from None


def _play(play: Scenario, seed: int, outlet: Outlet, step: Callable[[str], None]) -> None:
    start = time.time()
    phase = ""
    for event in play.events(seed, start=start):
        if (current := play.timeline.phase(event.at - start)) != phase:
            phase = current
            step(f"{phase}, {play.timeline.remaining(event.at - start):.0f} s to the end")
        _send(event, outlet)


def _send(event: Event, outlet: Outlet) -> None:
    """Send what is due, once it is."""
    time.sleep(max(0.0, event.at - time.time()))
    outlet.send(event.topic, event.key, event.record)


@contextmanager
def _published(bootstrap: str, prefix: str, topic: str, json: bool) -> Generator[Outlet]:
    """Where to send; says at the end what became of it.

    Raises:
        BrokerUnavailable: no broker answered, or not everything was accepted.
        ConfigurationError: the topic does not exist.
    """
    connection, topics = connection_to(bootstrap), Topics(prefix)
    require_topics(connection, topics, topic)
    transport = Transport(connection, topics=topics, source="/snowshed/publish", capacity=100_000)
    try:
        yield transport
        transport.flush(_FLUSH_TIMEOUT)
    finally:
        transport.close()
    stats = transport.stats()
    if stats.delivered < stats.accepted:
        raise BrokerUnavailable(
            f"{bootstrap} took {stats.delivered} of {stats.accepted} records: "
            "see `snowshed doctor`, or the broker's log"
        )
    if json:
        print_json({"bootstrap": bootstrap, "prefix": prefix, "delivered": stats.delivered})
    else:
        typer.echo(f"{stats.delivered} records delivered to {bootstrap}")


group: Mapping[str, Callable[..., None]] = MappingProxyType(
    {"heartbeat": heartbeat, "timing": timing, "marker": marker, "scenario": scenario, "recording": recording}
)
"""The subcommands."""
