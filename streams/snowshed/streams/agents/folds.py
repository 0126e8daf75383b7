"""The folds a worker runs: the one place that lists the agents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from snowshed.schemas.codec import Codec
from snowshed.streams.cascade import DomainFold
from snowshed.streams.edges import TimingFold
from snowshed.streams.folding import Fold
from snowshed.streams.health import HeartbeatFold
from snowshed.streams.lag import MarkerFold
from snowshed.streams.policy import Policy

__all__ = ["folds"]


def folds(policy: Policy, codec: Codec, *, pinned: bool = False) -> Mapping[str, Fold[Any, Any]]:
    """All folds by agent name, judging by `policy`; pinned to it, they pass over changes of it that the log has."""
    made: tuple[Fold[Any, Any], ...] = (
        HeartbeatFold(policy, codec),
        TimingFold(policy, codec),
        MarkerFold(policy, codec),
        DomainFold(policy, codec, pinned=pinned),
    )
    return {fold.agent: fold for fold in made}
