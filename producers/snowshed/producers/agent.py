"""The host agent: heartbeats for this host, and collectors for the databases it is pointed at."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event

import structlog

from snowshed.producers.collectors.base import Collector
from snowshed.producers.collectors.etcd import Etcd, EtcdTarget
from snowshed.producers.collectors.host import host_heartbeat, host_node
from snowshed.producers.collectors.kafka_groups import ConsumerGroup, GroupSession, GroupTarget
from snowshed.producers.collectors.kraft import KRaftTarget, kraft_collector
from snowshed.producers.collectors.mysql import mysql_collectors
from snowshed.producers.collectors.postgres import PostgresPeriods, postgres_collectors
from snowshed.producers.collectors.redis import redis_collectors
from snowshed.producers.collectors.reporter import Reporter
from snowshed.producers.collectors.servers import RowPeriods, Servers
from snowshed.producers.collectors.thread import CollectorThread
from snowshed.producers.collectors.zookeeper import ZooKeeper, ZooKeeperTarget
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
_GROUP_PERIOD = 1.0
"""Seconds between two looks at a consumer group."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """What an agent watches and where it reports.

    Args:
        connection: the Kafka cluster.
        node: the host as a node of the fleet.
        topics: names of the topics.
        registry_url: a schema registry, where one is used.
        databases: the PostgreSQL datasets.
        mysql: the MySQL and MariaDB datasets.
        redis: the Redis datasets.
        groups: consumer groups of that Kafka cluster.
        ensembles: the ZooKeeper ensembles.
        etcd: the etcd clusters.
        kraft: Kafka clusters whose own quorum is watched, reached with the properties of `connection`.
        interval: seconds between heartbeats.
        periods: how often PostgreSQL is asked.
        rows: how often MySQL and Redis are asked.
        statement_limit: statements reported one by one, by dataset.

    Raises:
        ConfigurationError: two datasets have one name, or the limit is negative.
    """

    connection: KafkaConnection
    node: Node = field(default_factory=host_node)
    topics: Topics = field(default_factory=Topics)
    registry_url: str | None = None
    databases: tuple[Servers, ...] = ()
    mysql: tuple[Servers, ...] = ()
    redis: tuple[Servers, ...] = ()
    groups: tuple[GroupTarget, ...] = ()
    ensembles: tuple[ZooKeeperTarget, ...] = ()
    etcd: tuple[EtcdTarget, ...] = ()
    kraft: tuple[KRaftTarget, ...] = ()
    interval: float = DEFAULT_INTERVAL
    periods: PostgresPeriods = field(default_factory=PostgresPeriods)
    rows: RowPeriods = field(default_factory=RowPeriods)
    statement_limit: int = 50

    def __post_init__(self) -> None:
        names = self.datasets
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ConfigurationError(f"dataset {twice[0]!r} is given twice: put its replicas into one target")
        if self.statement_limit < 0:
            raise ConfigurationError(f"statement limit {self.statement_limit!r} is negative")

    @property
    def datasets(self) -> tuple[str, ...]:
        """The name of everything that is watched."""
        replicated = (*self.databases, *self.mysql, *self.redis)
        return (
            *(servers.dataset for servers in replicated),
            *(group.dataset for group in self.groups),
            *(ensemble.dataset for ensemble in self.ensembles),
            *(cluster.dataset for cluster in self.etcd),
            *(cluster.dataset for cluster in self.kraft),
        )

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> AgentSettings:
        """The settings in the environment.

        They are those of `ProducerSettings.from_env`, but for the service, and what to watch, separated by semicolons:
        SNOWSHED_POSTGRES as `dataset=DSN,replica=DSN`, SNOWSHED_MYSQL and SNOWSHED_REDIS as
        `dataset=URL,replica=URL`, SNOWSHED_KAFKA_GROUPS as `dataset=group:topic,topic`, SNOWSHED_ZOOKEEPER as
        `dataset=host:port,host:port`, SNOWSHED_ETCD as `dataset=URL,URL`, SNOWSHED_KRAFT_QUORUMS as
        `dataset=host:port,host:port`.

        Raises:
            ConfigurationError: a variable is missing or wrong.
        """
        shared = ProducerSettings.from_env("host", environ=environ)
        return cls(
            connection=shared.connection,
            node=host_node(shared.node, zone=shared.zone, region=shared.region, role=shared.role),
            topics=Topics(shared.prefix),
            registry_url=shared.registry_url,
            databases=tuple(map(Servers.parse, _listed(environ, "SNOWSHED_POSTGRES"))),
            mysql=tuple(map(Servers.parse, _listed(environ, "SNOWSHED_MYSQL"))),
            redis=tuple(map(Servers.parse, _listed(environ, "SNOWSHED_REDIS"))),
            groups=tuple(map(GroupTarget.parse, _listed(environ, "SNOWSHED_KAFKA_GROUPS"))),
            ensembles=tuple(map(ZooKeeperTarget.parse, _listed(environ, "SNOWSHED_ZOOKEEPER"))),
            etcd=tuple(map(EtcdTarget.parse, _listed(environ, "SNOWSHED_ETCD"))),
            kraft=tuple(map(KRaftTarget.parse, _listed(environ, "SNOWSHED_KRAFT_QUORUMS"))),
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
        self._collectors = tuple(_collectors(settings))

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
        _log.info("agent_started", node=settings.node.name, databases=list(settings.datasets))
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


def _listed(environ: Mapping[str, str], name: str) -> list[str]:
    return [text for text in environ.get(name, "").split(";") if text.strip()]


def _collectors(settings: AgentSettings) -> Iterator[Collector]:
    writer = settings.node.name
    for servers in settings.databases:
        yield from postgres_collectors(
            servers, writer=writer, periods=settings.periods, statement_limit=settings.statement_limit
        )
    for servers in settings.mysql:
        yield from mysql_collectors(
            servers, writer=writer, periods=settings.rows, statement_limit=settings.statement_limit
        )
    for servers in settings.redis:
        yield from redis_collectors(servers, writer=writer, periods=settings.rows)
    for group in settings.groups:
        yield ConsumerGroup(
            GroupSession(settings.connection),
            dataset=group.dataset,
            group=group.group,
            topics=group.topics,
            writer=writer,
            period=_GROUP_PERIOD,
        )
    yield from map(ZooKeeper, settings.ensembles)
    yield from map(Etcd, settings.etcd)
    for cluster in settings.kraft:
        yield kraft_collector(cluster, settings.connection)


def _within(budget: float, stops: Sequence[Callable[[float], None]]) -> None:
    """Call each with what is left of the budget."""
    until = time.monotonic() + budget
    for stop in stops:
        stop(max(0.0, until - time.monotonic()))
