"""The host the agent runs on, as a node of the fleet."""

from __future__ import annotations

import socket

from snowshed.producers.heartbeat import HeartbeatEmitter
from snowshed.producers.node import Node
from snowshed.producers.sampling import HostSampler
from snowshed.producers.transport import Outlet

__all__ = ["host_heartbeat", "host_node"]


def host_node(name: str = "", *, service: str = "host", zone: str = "", region: str = "", role: str = "") -> Node:
    """This host as a node; named `host@<host name>`, which a restart of the agent does not change."""
    return Node.here(service, name or f"{service}@{socket.gethostname()}", zone=zone, region=region, role=role)


def host_heartbeat(node: Node, transport: Outlet, *, interval: float) -> HeartbeatEmitter:
    """Heartbeats that carry the host's processors, memory, network, run queue and connections by state."""
    return HeartbeatEmitter(node, transport, interval=interval, vitals=HostSampler().sample)
