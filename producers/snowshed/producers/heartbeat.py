"""A node's sign of life, sent at a steady pace from a thread of its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from math import nan
from threading import Lock
from types import TracebackType
from typing import Self, TypeVar

from snowshed.producers._background import Background
from snowshed.producers._log import ForkSafeLog
from snowshed.producers._throttle import Throttle
from snowshed.producers.local_health import LocalHealth
from snowshed.producers.node import Node
from snowshed.producers.transport import Outlet
from snowshed.producers.vitals import NO_VITALS, Vitals
from snowshed.schemas.errors import ConfigurationError
from snowshed.schemas.forking import survive_fork
from snowshed.schemas.records import Heartbeat, NodeStatus

__all__ = ["DEFAULT_INTERVAL", "HeartbeatEmitter", "no_vitals", "unknown_pool"]

_log = ForkSafeLog()
_Measure = TypeVar("_Measure")

DEFAULT_INTERVAL = 0.5
_LEAVE_BUDGET = 0.5
_LOG_PERIOD = 60.0


def no_vitals() -> Vitals:
    """For a node whose host is measured by somebody else."""
    return NO_VITALS


def unknown_pool() -> float:
    """For a node without a connection pool worth watching."""
    return nan


@dataclass(slots=True)
class _Pace:
    """When beats are due; only the thread that beats touches it."""

    due: float
    seq: int = 0
    health: LocalHealth = field(default_factory=LocalHealth)


class HeartbeatEmitter:
    """Sends a heartbeat every `interval` seconds until stopped; also a context manager.

    In the child of a fork it is silent until `start` is called there: only a child that stays is a node of its own.

    Args:
        node: who this is.
        transport: where heartbeats go.
        interval: seconds between beats.
        vitals: measures the host, for instance `HostSampler().sample`.
        pool: share of the node's connection pool in use, 0 to 1.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        node: Node,
        transport: Outlet,
        *,
        interval: float = DEFAULT_INTERVAL,
        vitals: Callable[[], Vitals] = no_vitals,
        pool: Callable[[], float] = unknown_pool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not interval > 0:
            raise ConfigurationError(f"heartbeat interval {interval!r} is not a positive number of seconds")
        self._node = node
        self._transport = transport
        self._interval = interval
        self._vitals = vitals
        self._pool = pool
        self._clock = clock
        self._complaints = Throttle(_LOG_PERIOD)
        self._background = Background("snowshed-heartbeat", self.tick)
        self._beating = Lock()
        self._pace = _Pace(self._clock())
        survive_fork(self)

    @property
    def node(self) -> Node:
        """Who this is in the current process."""
        return self._node

    def start(self) -> Self:
        """Beat from now on; does nothing while it beats."""
        if not self._background.running:
            self._pace.due = self._clock()
            self._background.start()
        return self

    def stop(self, *, leaving: bool = True, timeout: float = _LEAVE_BUDGET) -> None:
        """Stop beating.

        Args:
            leaving: tell the fleet that this is no failure.
            timeout: seconds to wait for that message to be taken by Kafka.
        """
        if not self._background.running:
            return
        self._background.stop(_LEAVE_BUDGET)
        if leaving:
            self._beat(NodeStatus.LEAVING)
            self._transport.flush(timeout)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def after_fork(self) -> None:
        """Become silent in a forked child, under the child's own name."""
        self._node = self._node.in_child()
        self._beating = Lock()
        self._pace = _Pace(self._clock())

    def tick(self) -> float:
        """Beat if it is time; returns seconds until it is. The thread calls this."""
        now = self._clock()
        pace = self._pace
        late = now - pace.due
        if late < 0:
            return -late
        pace.health = pace.health.beat(late=late, interval=self._interval, backlog=self._transport.stats().backlog)
        # Beats missed during a stall stay missed: a burst of them would look like a node that beats faster.
        pace.due += self._interval * (1 + late // self._interval)
        self._beat(NodeStatus.UP)
        return pace.due - self._clock()

    def _beat(self, status: NodeStatus) -> None:
        vitals, pool = self._measured(self._vitals, NO_VITALS), self._measured(self._pool, nan)
        with self._beating:
            self._transport.send("heartbeats", self._node.name, self._heartbeat(status, vitals, pool))
            self._pace.seq += 1

    def _heartbeat(self, status: NodeStatus, vitals: Vitals, pool: float) -> Heartbeat:
        node, pace = self._node, self._pace
        return Heartbeat(
            node=node.name,
            service=node.service,
            zone=node.zone,
            region=node.region,
            role=node.role,
            host=node.host,
            version=node.version,
            status=status,
            seq=float(pace.seq),
            sent_at=time.time(),
            monotonic=self._clock(),
            interval=self._interval,
            round_trip=self._transport.stats().round_trip,
            local_health=float(pace.health.score),
            cpu=vitals.cpu,
            memory=vitals.memory,
            network=vitals.network,
            run_queue=vitals.run_queue,
            pool=pool,
            tcp_established=vitals.tcp.established,
            tcp_syn_sent=vitals.tcp.syn_sent,
            tcp_close_wait=vitals.tcp.close_wait,
            tcp_time_wait=vitals.tcp.time_wait,
        )

    def _measured(self, measure: Callable[[], _Measure], unknown: _Measure) -> _Measure:
        try:
            return measure()
        except Exception as error:  # noqa: BLE001 - the host program's own function; a node must beat without it
            if self._complaints.allows(self._clock()):
                _log.warning("vitals_not_measured", reason=repr(error))
            return unknown
