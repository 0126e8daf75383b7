"""Where runs take place: brokers, opened at their first use and kept for later runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field

from tests.support.cluster import LocalCluster
from tests.support.proxy import Proxy, proxied_kafka

from snowshed.schemas.connection import KafkaConnection
from snowshed.streams.broker import LocalKafka

__all__ = ["Arena", "Arenas", "Cluster", "Single"]

_SHORT_SESSIONS = {
    "group.min.session.timeout.ms": "500",
    "group.consumer.min.session.timeout.ms": "500",
    "group.consumer.session.timeout.ms": "2000",
    "group.consumer.heartbeat.interval.ms": "500",
}
"""So short that a busy machine alone makes members drop out now and then, which is all the better here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arena:
    """Brokers that a run may use."""

    connection: KafkaConnection
    """How the run itself reaches them: creates topics, feeds, reads."""
    replication: int = 1
    worker_environment: Mapping[str, str] = field(default_factory=dict[str, str])
    """How workers reach them, where that differs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Single(Arena):
    """One broker, which may be killed, and a second way to it that may be cut."""

    broker: LocalKafka
    proxy: Proxy


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster(Arena):
    """Three brokers; topics have three copies, of which two must be written."""

    nodes: LocalCluster


class Arenas:
    """All arenas of a session.

    Args:
        stack: closes them.
        tell: progress.
        single: takes the place of one broker of our own; it cannot be killed or cut off.
    """

    def __init__(self, stack: ExitStack, tell: Callable[[str], None], single: Arena | None = None) -> None:
        self._stack, self._tell = stack, tell
        self._single = single
        self._cluster: Cluster | None = None

    def single(self) -> Arena:
        """One broker."""
        if self._single is None:
            self._tell("starting one broker")
            broker, proxy = self._stack.enter_context(proxied_kafka(_SHORT_SESSIONS))
            self._single = Single(connection=KafkaConnection(broker.bootstrap), broker=broker, proxy=proxy)
        return self._single

    def cluster(self) -> Cluster:
        """Three brokers."""
        if self._cluster is None:
            self._tell("starting three brokers")
            nodes = self._stack.enter_context(LocalCluster(_SHORT_SESSIONS))
            self._cluster = Cluster(connection=KafkaConnection(nodes.bootstrap), replication=3, nodes=nodes)
        return self._cluster
