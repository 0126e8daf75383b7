"""Everything a service needs to report itself, started in one line."""

from __future__ import annotations

import atexit
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from snowshed.producers.heartbeat import DEFAULT_INTERVAL, HeartbeatEmitter, unknown_pool
from snowshed.producers.markers import MarkerReporter
from snowshed.producers.node import Node
from snowshed.producers.recorder import TimingRecorder
from snowshed.producers.sampling import HostSampler
from snowshed.producers.settings import ProducerSettings
from snowshed.producers.transport import Closable, Transport
from snowshed.schemas.codec import Codec
from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.topics import Topics

__all__ = ["Telemetry", "start"]

_STOP_BUDGET = 1.0


class Telemetry:
    """A node's heartbeat, timing recorder and marker reporter over one transport; also a context manager.

    In the child of a fork the recorder and the markers go on under the child's own name, and the heartbeat does once
    `telemetry.heartbeat.start()` is called there.

    Args:
        node: who reports.
        transport: where records go; closed by `stop`.
        interval: seconds between heartbeats.
        window: seconds between timing reports.
        pool: share of the node's connection pool in use, 0 to 1.
    """

    def __init__(
        self,
        node: Node,
        transport: Closable,
        *,
        interval: float = DEFAULT_INTERVAL,
        window: float = 1.0,
        pool: Callable[[], float] = unknown_pool,
    ) -> None:
        self.transport = transport
        self.recorder = TimingRecorder(node, transport, window=window)
        self.markers = MarkerReporter(node, transport)
        self.heartbeat = HeartbeatEmitter(node, transport, interval=interval, vitals=HostSampler().sample, pool=pool)

    @property
    def service(self) -> str:
        """The service this process is a part of."""
        return self.heartbeat.node.service

    def start(self) -> Self:
        """Start the heartbeat, and see to it that `stop` is called when the program ends."""
        self.heartbeat.start()
        atexit.register(self.stop)
        return self

    def stop(self) -> None:
        """Say good-bye, report what has been counted and close the transport; takes about a second at most."""
        until = time.monotonic() + _STOP_BUDGET
        atexit.unregister(self.stop)
        self.recorder.stop()
        self.heartbeat.stop(timeout=0)
        self.transport.close(max(0.0, until - time.monotonic()))

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def start(
    service: str | None = None,
    node: str | None = None,
    *,
    connection: KafkaConnection | None = None,
    pool: Callable[[], float] = unknown_pool,
) -> Telemetry:
    """Report this process from now on, with everything not given taken from SNOWSHED_* variables.

    ::

        telemetry = snowshed.producers.start(service="shop")

    Args:
        service: the service this process is a part of.
        node: name of this process, unique in the fleet.
        connection: the Kafka cluster.
        pool: share of the process's connection pool in use, 0 to 1.

    Raises:
        ConfigurationError: no service or no Kafka address is set, or a setting is malformed.
    """
    settings = ProducerSettings.from_env(service, node, connection=connection)
    here = settings.this_node()
    transport = Transport(
        settings.connection,
        topics=Topics(settings.prefix),
        codec=Codec.from_settings(settings.registry_url),
        source=here.name,
    )
    return Telemetry(here, transport, interval=settings.interval, window=settings.window, pool=pool).start()
