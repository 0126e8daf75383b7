"""The mean interval of each node's heartbeats, some of them passed on: a Snowshed worker with this one fold.

Argument: passes on every so many-th beat. The rest is set by SNOWSHED_* variables, as for any worker.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import faust
import orjson
import uvloop

from snowshed.schemas.errors import SchemaMismatch
from snowshed.schemas.records import Liveness, NodeHealth
from snowshed.streams import logs
from snowshed.streams.agents.judging import declare
from snowshed.streams.folding import Batch, Decoded, Emission, Message, Reject, Step
from snowshed.streams.hosting import CoreService, Hosted
from snowshed.streams.metrics import Metrics
from snowshed.streams.serving import PageServer
from snowshed.streams.settings import WorkerSettings
from snowshed.streams.transactions.producer import LaneProducer, NewProducer


class Beat(NamedTuple):
    """What the fold uses of a heartbeat."""

    node: str
    seq: int
    sent_at: float
    appended: float


Interval = tuple[float, float]


class IntervalFold:
    """Time of a node's last beat and the exponentially weighted mean of its intervals."""

    agent = "heartbeats"

    def __init__(self, every: int) -> None:
        self._every = every

    def decode(self, messages: Sequence[Message]) -> Decoded[tuple[Beat, ...]]:
        """The beats, and what is not JSON."""
        beats: list[Beat] = []
        rejects: list[Reject] = []
        for message in messages:
            try:
                value = orjson.loads(message.value or b"")
                beats.append(Beat((message.key or b"").decode(), value["seq"], value["sent_at"], message.timestamp))
            except (ValueError, KeyError):
                rejects.append(Reject(message, SchemaMismatch("not a heartbeat in JSON")))
        return Decoded(tuple(beats), tuple(rejects))

    def step(self, state: Mapping[str, Interval], batch: Batch[tuple[Beat, ...]]) -> Step[Interval]:
        """Fold one beat after the other."""
        changes: dict[str, Interval | None] = {}
        emissions: list[Emission] = []
        for beat in batch.records:
            known = changes.get(beat.node) or state.get(beat.node)
            mean = 0.9 * known[1] + 0.1 * (beat.sent_at - known[0]) if known else 0.5
            changes[beat.node] = (beat.sent_at, mean)
            if beat.seq % self._every == 0:
                emissions.append(Emission("health", beat.node, _health(beat, mean, batch), "interval/1"))
        return Step(changes, tuple(emissions))

    def dump(self, value: Interval) -> bytes:
        """As JSON."""
        return orjson.dumps(value)

    def load(self, raw: bytes) -> Interval:
        """From JSON."""
        sent_at, mean = orjson.loads(raw)
        return sent_at, mean


def _health(beat: Beat, mean: float, batch: Batch[tuple[Beat, ...]]) -> NodeHealth:
    return NodeHealth(
        domain="",
        node=beat.node,
        service="",
        zone="",
        host="",
        status=Liveness.ALIVE,
        since=beat.sent_at,
        last_seen=beat.appended,
        interval=mean,
        phi=0.0,
        observed_at=batch.now,
        detector_lag=batch.detector_lag,
    )


def main(new_producer: NewProducer = LaneProducer) -> None:
    """Run the worker until it is told to stop."""
    settings, folds = WorkerSettings(), {"heartbeats": IntervalFold(int(sys.argv[1]))}
    logs.configure(settings.log_format, settings.log_level)
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    app: Any = Hosted(
        settings.app,
        broker=f"kafka://{settings.bootstrap}",
        store="memory://",
        autodiscover=False,
        topic_disable_leader=True,
        worker_redirect_stdouts=False,
        logging_config=logs.logging_config(settings.log_format, settings.log_level),
    )
    metrics = Metrics()
    core = CoreService(settings, folds, declare(app, folds), metrics, new_producer=new_producer)
    app.service(core)
    app.web_server(PageServer(settings, metrics, ready=lambda: core.ready))
    worker: Any = faust.Worker(app, loop=loop, quiet=True, override_logging=False, redirect_stdouts=False)
    worker.spinner = None
    worker.execute_from_commandline()


if __name__ == "__main__":
    main()
