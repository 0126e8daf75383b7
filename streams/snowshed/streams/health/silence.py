"""Whether silence accuses the nodes or the path they are observed on."""

from __future__ import annotations

from collections.abc import Sequence

from snowshed.streams.health.node import NodeState
from snowshed.streams.policy import HealthPolicy

__all__ = ["correlated"]

_SPREAD = 1.5
"""Intervals within which beats that stop at one instant were heard last: one for their phases, half for delay."""


def correlated(silent: Sequence[NodeState], live: int, policy: HealthPolicy) -> frozenset[str]:
    """Nodes that fell silent together with enough others to accuse the observer; empty when too few did.

    `live` counts all nodes of the partition that are expected to beat, silent or not.
    """
    if live < policy.correlated_nodes or len(silent) < policy.correlated_share * live:
        return frozenset()
    newest = max(node.last_seen for node in silent)
    spread = _SPREAD * max(node.mean for node in silent)
    together = [node.node for node in silent if node.last_seen >= newest - spread]
    return frozenset(together) if len(together) >= policy.correlated_share * live else frozenset()
