"""Kafka through testcontainers."""

from __future__ import annotations

import re
from typing import Self, cast

from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

from snowshed.streams.broker import free_ports
from snowshed.streams.broker.container import container_environment
from snowshed.streams.broker.ports import LOOPBACK

__all__ = ["ApacheKafkaContainer"]

_STARTED = re.compile(r"Kafka Server started")
_START_TIMEOUT = 90


class ApacheKafkaContainer(DockerContainer):
    """One KRaft node from an image with the start contract of apache/kafka.

    The library's own class is for Confluent's images. The host port is chosen before the start: one that Docker chooses
    changes when the container restarts, and the address the broker advertises would be stale.
    """

    def __init__(self, image: str) -> None:
        super().__init__(image)
        [self._host_port] = free_ports(1)
        self.env.update(container_environment(self._host_port))
        # Docker's client takes an address with the port; the library's annotation knows the port alone.
        self.ports["9092/tcp"] = cast("int", (LOOPBACK, self._host_port))
        self.waiting_for(LogMessageWaitStrategy(_STARTED).with_startup_timeout(_START_TIMEOUT))

    @property
    def bootstrap(self) -> str:
        """The address clients connect to."""
        return f"{LOOPBACK}:{self._host_port}"

    def restart(self) -> Self:
        """Stop and start the same container."""
        self.get_wrapped_container().restart(timeout=15)
        return self
