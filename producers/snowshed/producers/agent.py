"""The host agent: heartbeats for this host, and collectors for the databases it is pointed at."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event

import structlog

from snowshed.producers.collectors.base import Collector
from snowshed.producers.collectors.host import host_heartbeat, host_node
from snowshed.producers.collectors.postgres import PostgresPeriods, PostgresTarget, postgres_collectors
from snowshed.producers.collectors.reporter import Reporter
from snowshed.producers.collectors.thread import CollectorThread
from snowshed.producers.heartbeat import DEFAULT_INTERVAL
from snowshed.producers.node import Node
from snowshed.producers.settings import ProducerSettings
from snowshed.producers.transport import Transport
from snowshed.schemas.codec import Codec
from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.errors import ConfigurationError
from snowshed.schemas.topics import Topics

__all__ = ["Agent", "AgentSettings"]

_log = structlog.get_logger()

_STOP_BUDGET = 4.0
"""Seconds all collectors together may take to end: one query that the server never answers."""
_FLUSH_BUDGET = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """What an agent watches and where it reports.

    Args:
        connection: the Kafka cluster.
        node: the host as a node of the fleet.
        topics: names of the topics.
        registry_url: a schema registry, where one is used.
        databases: the PostgreSQL datasets.
        interval: seconds between heartbeats.
        periods: how often databases are asked.
        statement_limit: statements reported one by one, by dataset.

    Raises:
        ConfigurationError: two databases have one name, or the limit is negative.
    """

    connection: KafkaConnection
    node: Node = field(default_factory=host_node)
    topics: Topics = field(default_factory=Topics)
    registry_url: str | None = None
    databases: tuple[PostgresTarget, ...] = ()
    interval: float = DEFAULT_INTERVAL
    periods: PostgresPeriods = field(default_factory=PostgresPeriods)
    statement_limit: int = 50

    def __post_init__(self) -> None:
        names = [target.dataset for target in self.databases]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ConfigurationError(f"dataset {twice[0]!r} is given twice: put its replicas into one target")
        if self.statement_limit < 0:
            raise ConfigurationError(f"statement limit {self.statement_limit!r} is negative")

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> AgentSettings:
        """The settings in the environment.

        They are those of `ProducerSettings.from_env`, but for the service, and SNOWSHED_POSTGRES: targets of the form
        `dataset=DSN,replica=DSN`, separated by semicolons.

        Raises:
            ConfigurationError: a variable is missing or wrong.
        """
        shared = ProducerSettings.from_env("host", environ=environ)
        targets = [text for text in environ.get("SNOWSHED_POSTGRES", "").split(";") if text.strip()]
        return cls(
            connection=shared.connection,
            node=host_node(shared.node, zone=shared.zone, region=shared.region, role=shared.role),
            topics=Topics(shared.prefix),
            registry_url=shared.registry_url,
            databases=tuple(PostgresTarget.parse(text) for text in targets),
            interval=shared.interval,
        )


class Agent:
    """Runs the collectors of one host, each in a thread of its own, over one connection to Kafka.

    Args:
        settings: what to watch.

    Raises:
        ConfigurationError: a connection string cannot be read, or an extra is not installed.
    """

    def __init__(self, settings: AgentSettings) -> None:
        self._settings = settings
        self._collectors: Sequence[Collector] = [
            collector
            for target in settings.databases
            for collector in postgres_collectors(
                target,
                writer=settings.node.name,
                periods=settings.periods,
                statement_limit=settings.statement_limit,
            )
        ]

    def run(self, stop: Event) -> None:
        """Report until `stop` is set, then say that this node leaves; takes at most a few seconds more."""
        settings = self._settings
        transport = Transport(
            settings.connection,
            topics=settings.topics,
            codec=Codec.from_settings(settings.registry_url),
            source=settings.node.name,
        )
        heartbeat = host_heartbeat(settings.node, transport, interval=settings.interval)
        reporter = Reporter(settings.node, transport)
        threads = [CollectorThread(collector, reporter.report) for collector in self._collectors]
        _log.info("agent_started", node=settings.node.name, databases=[t.dataset for t in settings.databases])
        try:
            heartbeat.start()
            for thread in threads:
                thread.start()
            stop.wait()
        finally:
            _within(_STOP_BUDGET, [thread.stop for thread in threads])
            for collector in self._collectors:
                collector.close()
            heartbeat.stop()
            transport.close(_FLUSH_BUDGET)
            _log.info("agent_stopped", node=settings.node.name, lost=transport.stats().lost)


def _within(budget: float, stops: Sequence[Callable[[float], None]]) -> None:
    """Call each with what is left of the budget."""
    until = time.monotonic() + budget
    for stop in stops:
        stop(max(0.0, until - time.monotonic()))
