"""Where runs take place: brokers, opened at their first use and kept for later runs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Arena:
    """Brokers that a run may use."""

    connection: KafkaConnection
    replication: int


@dataclass(frozen=True, slots=True)
class Single(Arena):
    """One broker, which may be killed, and a second way to it that may be cut."""

    broker: LocalKafka
    proxy: Proxy


@dataclass(frozen=True, slots=True)
class Cluster(Arena):
    """Three brokers; topics have three copies, of which two must be written."""

    nodes: LocalCluster


class Arenas:
    """All arenas of a session.

    Args:
        stack: closes them.
        tell: progress.
    """

    def __init__(self, stack: ExitStack, tell: Callable[[str], None]) -> None:
        self._stack, self._tell = stack, tell
        self._single: Single | None = None
        self._cluster: Cluster | None = None

    def single(self) -> Single:
        """One broker."""
        if self._single is None:
            self._tell("starting one broker")
            broker, proxy = self._stack.enter_context(proxied_kafka(_SHORT_SESSIONS))
            self._single = Single(KafkaConnection(broker.bootstrap), 1, broker, proxy)
        return self._single

    def cluster(self) -> Cluster:
        """Three brokers."""
        if self._cluster is None:
            self._tell("starting three brokers")
            nodes = self._stack.enter_context(LocalCluster(_SHORT_SESSIONS))
            self._cluster = Cluster(KafkaConnection(nodes.bootstrap), 3, nodes)
        return self._cluster
