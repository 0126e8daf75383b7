"""The folds a worker runs: the one place that lists the agents."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from snowshed.schemas.codec import Codec
from snowshed.streams.cascade import DomainFold
from snowshed.streams.edges import TimingFold
from snowshed.streams.folding import Fold
from snowshed.streams.governed import Governed
from snowshed.streams.health import HeartbeatFold
from snowshed.streams.lag import MarkerFold
from snowshed.streams.policy import Policy

__all__ = ["folds"]


def folds(policy: Policy, codec: Codec, *, pinned: bool = False) -> Mapping[str, Fold[Any, Any]]:
    """All folds by agent name, judging by `policy` until a change of it stands in their input.

    Pinned to it, they pass over changes.
    """
    kinds: tuple[Callable[[Policy, Codec], Fold[Any, Any]], ...] = (HeartbeatFold, TimingFold, MarkerFold, DomainFold)
    made = (Governed(partial(_made, kind, codec), policy, codec, pinned=pinned) for kind in kinds)
    return {fold.agent: fold for fold in made}


def _made(kind: Callable[[Policy, Codec], Fold[Any, Any]], codec: Codec, policy: Policy) -> Fold[Any, Any]:
    return kind(policy, codec)
