"""The state of level 2 as bytes and back: JSON, but for the edges into a callee."""

from __future__ import annotations

from snowshed.streams.cascade.board import DomainState
from snowshed.streams.cascade.cases import Case
from snowshed.streams.cascade.decisions import Held
from snowshed.streams.cascade.inbound import Inbound
from snowshed.streams.cascade.orders import Ordered
from snowshed.streams.cascade.packing import BEGIN, packed, unpacked
from snowshed.streams.cascade.sight import Sight
from snowshed.streams.cascade.standing import Standing
from snowshed.streams.cascade.throttle import Throttle
from snowshed.streams.cascade.views import EdgeView, LagView, NodeView
from snowshed.streams.consistency import Stance, WriteThrottle
from snowshed.streams.snapshot import Snapshot
from snowshed.streams.stability.season import Season

__all__ = ["dumped", "loaded"]

_SNAPSHOT: Snapshot[DomainState] = Snapshot(
    NodeView,
    EdgeView,  # as earlier releases wrote it
    LagView,
    Standing,
    Season,
    Throttle,
    Case,
    Held,
    Stance,
    WriteThrottle,
    Ordered,
    Sight,
)


def dumped(value: DomainState) -> bytes:
    """A state value as bytes."""
    return packed(value) if isinstance(value, Inbound) else _SNAPSHOT.dump(value)


def loaded(raw: bytes) -> DomainState:
    """The state value that `dumped` was given, by this release or an earlier one."""
    return unpacked(raw) if raw.startswith(BEGIN) else _SNAPSHOT.load(raw)
