"""Level 1 over heartbeats: which nodes live."""

from snowshed.streams.health.columns import HeartbeatColumns, NodeIdentity
from snowshed.streams.health.fold import HeartbeatFold
from snowshed.streams.health.node import NodeState

__all__ = ["HeartbeatColumns", "HeartbeatFold", "NodeIdentity", "NodeState"]
