"""Builds a worker: a Faust app whose agents judge what the transactional core reads.

Faust supervises, restarts and hosts; it opens no Kafka connection of its own (docs/adr/0002-exactly-once-core.md).
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import faust
import mode
import structlog
from faust.app.base import BootStrategy

from snowshed.schemas.codec import Codec
from snowshed.streams import logs
from snowshed.streams.agents.folds import folds
from snowshed.streams.agents.judging import Agents, declare
from snowshed.streams.folding import Fold
from snowshed.streams.metrics import Metrics
from snowshed.streams.policy_file import read_policy
from snowshed.streams.provision import provision
from snowshed.streams.serving import PageServer
from snowshed.streams.settings import WorkerSettings
from snowshed.streams.transactions.core import Core
from snowshed.streams.transactions.producer import LaneProducer, NewProducer
from snowshed.streams.transactions.protocol import GroupSettings, Protocol, choose, read_broker_limits

__all__ = ["EXIT_FATAL", "Hosted", "Membership", "build"]

log = structlog.get_logger()

_LOOK_SECONDS = 1.0
_STILL_LOOKS = 60
"""Looks in a row at a consumer that does not move; handing over partitions may keep it for half of that."""

EXIT_FATAL = 70
"""Exit code of a worker that must leave at once, most often because a successor has fenced it."""


@dataclass(frozen=True, slots=True)
class Membership:
    """Who a worker is in its consumer group."""

    group: str
    protocol: Protocol
    member_id: str
    """Empty once the worker has left."""


class _WithoutKafka(BootStrategy):
    """Boots agents, services and sensors only: the log belongs to the transactional core."""

    enable_kafka = False


class Hosted(faust.App):
    """The Faust app of a worker."""

    BootStrategy = _WithoutKafka

    async def on_first_start(self) -> None:
        """Create no data folder: all state lives in Kafka."""


def build(
    settings: WorkerSettings,
    judged: Mapping[str, Fold[Any, Any]] | None = None,
    *,
    metrics: Metrics | None = None,
    joined: Callable[[Membership], None] | None = None,
) -> Hosted:
    """The app for these settings: its agents, the core's service and the page's server.

    Args:
        settings: the worker's settings.
        judged: folds by agent name instead of Snowshed's own.
        metrics: is told what lanes do.
        joined: told of every change of this worker's membership in its group, from the consumer's thread.

    Raises:
        ConfigurationError: a setting or the policy file is wrong.
    """
    logs.configure(settings.log_format, settings.log_level)
    connection = settings.connection
    if judged is None:
        judged = folds(read_policy(settings.policy), Codec.from_settings(settings.registry_url))
    app = Hosted(
        settings.app,
        broker=f"kafka://{connection.bootstrap}",
        store="memory://",
        autodiscover=False,
        topic_disable_leader=True,
        web_bind=settings.web_host,
        web_host=settings.web_host,
        web_port=settings.web_port or None,
        worker_redirect_stdouts=False,
        logging_config=logs.logging_config(settings.log_format, settings.log_level),
    )
    metrics = metrics or Metrics()
    core = CoreService(settings, judged, declare(app, judged), metrics, joined)
    app.service(cast("Any", core))  # Faust takes instances, though it declares classes only
    app.web_server(PageServer(settings, metrics, ready=lambda: core.ready))
    return app


class CoreService(mode.Service):
    """Runs the transactional core inside the worker and takes the worker down with it.

    Args:
        settings: the worker's settings.
        judged: folds by agent name.
        agents: the agents that run them.
        metrics: is told what lanes do.
        joined: told of every change of this worker's membership.
        new_producer: makes the producer of each lane.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        judged: Mapping[str, Fold[Any, Any]],
        agents: Agents,
        metrics: Metrics,
        joined: Callable[[Membership], None] | None = None,
        *,
        new_producer: NewProducer = LaneProducer,
    ) -> None:
        super().__init__()
        self._on_joined, self._new_producer = joined, new_producer
        self._settings, self._judged, self._agents, self._metrics = settings, judged, agents, metrics
        self._core: Core | None = None

    @property
    def ready(self) -> bool:
        """Whether the worker takes part in its group's work."""
        return self._core is not None and self._core.ready

    async def on_start(self) -> None:
        """Create what topics are missing, choose the group protocol and begin to consume."""
        self._agents.bind(asyncio.get_running_loop())
        self._core = await asyncio.to_thread(self._open)

    @mode.Service.task
    async def _watch(self) -> None:
        """Leave when the consumer's Kafka client hangs: a clock that is set back prolongs its waits without a broker.

        Looks are counted and not seconds, because a process that was frozen has not hung.
        """
        seen = still = 0
        while not self.should_stop:
            await self.sleep(_LOOK_SECONDS)
            if self._core is not None:
                returns = self._core.returns
                still = still + 1 if returns == seen else 0
                seen = returns
            if still == _STILL_LOOKS:
                _leave("the consumer's Kafka client has not come back for a minute; only a new process helps")

    async def on_stop(self) -> None:
        """Finish running transactions and leave the group."""
        if self._core is not None:
            await asyncio.to_thread(self._core.stop)

    def _open(self) -> Core:
        settings = self._settings
        created = provision(settings.connection, settings.topics)
        if created:
            log.info("topics_created", topics=created)
        group = choose(
            settings.app,
            read_broker_limits(settings.connection),
            protocol=settings.group_protocol,
            session=settings.session,
        )
        core = Core(
            connection=settings.connection,
            topics=settings.topics,
            codec=Codec.from_settings(settings.registry_url),
            group=group,
            folds=self._judged,
            judge=self._agents,
            watcher=self._metrics,
            limits=settings.limits,
            fatal=_leave,
            joined=partial(self._joined, group),
            new_producer=self._new_producer,
        )
        core.start()
        return core

    def _joined(self, group: GroupSettings, member_id: str) -> None:
        log.info("membership", group=group.group, protocol=group.protocol, member=member_id)
        if self._on_joined is not None:
            self._on_joined(Membership(group.group, group.protocol, member_id))


def _leave(reason: str) -> None:
    """End the process at once: a fenced producer or a broken consumer can only be replaced by a new process."""
    log.critical("worker_leaving", reason=reason, exit_code=EXIT_FATAL)
    sys.stderr.flush()
    os._exit(EXIT_FATAL)
