"""What a service sets to report its telemetry, read from its environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite

from snowshed.producers.heartbeat import DEFAULT_INTERVAL
from snowshed.producers.node import Node
from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.errors import ConfigurationError

__all__ = ["ProducerSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProducerSettings:
    """Who reports, how often and where to.

    Args:
        service: the service this process is a part of.
        node: name of this process, unique in the fleet; `<service>@<host>:<pid>` when empty.
        connection: the Kafka cluster.
        prefix: first part of every topic's name.
        registry_url: a schema registry, where one is used.
        interval: seconds between heartbeats.
        window: seconds between timing reports.
    """

    service: str
    connection: KafkaConnection
    node: str = ""
    zone: str = ""
    region: str = ""
    role: str = ""
    version: str = ""
    prefix: str = "snowshed"
    registry_url: str | None = None
    interval: float = DEFAULT_INTERVAL
    window: float = 1.0

    @classmethod
    def from_env(
        cls,
        service: str | None = None,
        node: str | None = None,
        *,
        connection: KafkaConnection | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> ProducerSettings:
        """The settings in SNOWSHED_* variables; arguments win over them.

        They are SNOWSHED_SERVICE, _NODE, _ZONE, _REGION, _ROLE, _VERSION, _PREFIX, _REGISTRY_URL,
        _HEARTBEAT_INTERVAL, _TIMING_WINDOW, and those of `KafkaConnection.from_env`.

        Raises:
            ConfigurationError: no service or no Kafka address is set, or a duration is not a positive number.
        """
        name = service or environ.get("SNOWSHED_SERVICE", "")
        if not name:
            raise ConfigurationError("no service name: pass service=… or set SNOWSHED_SERVICE, e.g. to 'orders'")
        return cls(
            service=name,
            connection=connection or KafkaConnection.from_env(environ),
            node=node or environ.get("SNOWSHED_NODE", ""),
            zone=environ.get("SNOWSHED_ZONE", ""),
            region=environ.get("SNOWSHED_REGION", ""),
            role=environ.get("SNOWSHED_ROLE", ""),
            version=environ.get("SNOWSHED_VERSION", ""),
            prefix=environ.get("SNOWSHED_PREFIX", "") or "snowshed",
            registry_url=environ.get("SNOWSHED_REGISTRY_URL") or None,
            interval=_seconds(environ, "SNOWSHED_HEARTBEAT_INTERVAL", DEFAULT_INTERVAL),
            window=_seconds(environ, "SNOWSHED_TIMING_WINDOW", 1.0),
        )

    def this_node(self) -> Node:
        """This process as a node."""
        return Node.here(
            self.service, self.node or None, zone=self.zone, region=self.region, role=self.role, version=self.version
        )


def _seconds(environ: Mapping[str, str], name: str, default: float) -> float:
    text = environ.get(name, "")
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not (isfinite(value) and value > 0):
        raise ConfigurationError(f"{name} is {text!r}, which is not a positive number of seconds such as {default}")
    return value
