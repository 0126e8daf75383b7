"""What each topic holds, who writes it and how long it is kept: one row a topic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from snowshed.schemas.records import (
    ActionOrder,
    ActionState,
    DeadLetter,
    Decision,
    EdgeHealth,
    EdgeObservations,
    GroupProgress,
    Heartbeat,
    Incident,
    JournalEntry,
    Lag,
    Marker,
    NodeHealth,
    Notice,
    NoticeDelivery,
    OperatorOrder,
    PolicyChange,
    QuorumAnswers,
    Record,
    ServiceHealth,
    StatementHealth,
    TimingBatch,
)

__all__ = ["AGENTS", "CATALOGUE", "MAX_RECORD_BYTES", "OUTPUTS", "TopicSpec"]

_DAY = 86_400.0

AGENTS: Mapping[str, str] = MappingProxyType(
    {"heartbeats": "heartbeats", "timings": "timings", "markers": "markers", "domain": "observations"}
)
"""Each agent's input topic."""


MAX_RECORD_BYTES = 2 * 1024 * 1024
"""Largest record that is ever written: a dead letter wraps a whole record of another topic."""

Cleanup = Literal["delete", "compact", "compact,delete"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicSpec:
    """What a topic holds and how Kafka keeps it."""

    name: str
    """Name without the prefix."""
    key: str
    """What the record key is."""
    partitions: int
    cleanup: Cleanup
    retention: float | None
    """Seconds that records are kept, None where only compaction removes them."""
    records: tuple[type[Record], ...]
    """What the values are; empty where they are not records of ours."""
    written_by: str
    append_time: bool = False
    """Whether the broker stamps records with its own clock."""
    copartitioned_with: str | None = None
    """The topic whose partition count this one follows."""
    max_bytes: int | None = None
    """Largest record accepted, where the broker's default of about one mebibyte is too small."""


_SHARED = (
    TopicSpec(
        name="heartbeats",
        key="node",
        partitions=8,
        cleanup="delete",
        retention=_DAY,
        records=(Heartbeat, PolicyChange),
        written_by="producers",
        append_time=True,
    ),
    TopicSpec(
        name="timings",
        key="callee",
        partitions=8,
        cleanup="delete",
        retention=_DAY,
        records=(TimingBatch, PolicyChange),
        written_by="producers",
        append_time=True,
    ),
    TopicSpec(
        name="markers",
        key="dataset",
        partitions=8,
        cleanup="delete",
        retention=_DAY,
        records=(Marker, GroupProgress, QuorumAnswers, PolicyChange),
        written_by="producers",
        append_time=True,
    ),
    TopicSpec(
        name="observations",
        key="domain",
        partitions=4,
        cleanup="delete",
        retention=_DAY,
        records=(NodeHealth, EdgeObservations, Lag, PolicyChange, OperatorOrder),
        written_by="level 1",
        append_time=True,
    ),
    TopicSpec(
        name="health",
        key="node, edge, service/name or statements/name",
        partitions=8,
        cleanup="compact",
        retention=None,
        records=(NodeHealth, EdgeHealth, ServiceHealth, StatementHealth),
        written_by="level 1",
    ),
    TopicSpec(
        name="lag",
        key="dataset/replica",
        partitions=8,
        cleanup="compact",
        retention=None,
        records=(Lag,),
        written_by="level 1",
    ),
    TopicSpec(
        name="incidents",
        key="incident",
        partitions=4,
        cleanup="compact,delete",
        retention=30 * _DAY,
        records=(Incident,),
        written_by="level 2",
    ),
    TopicSpec(
        name="decisions",
        key="scope and kind",
        partitions=4,
        cleanup="compact",
        retention=None,
        records=(Decision,),
        written_by="level 2",
    ),
    TopicSpec(
        name="notices",
        key="incident",
        partitions=4,
        cleanup="delete",
        retention=30 * _DAY,
        records=(Notice,),
        written_by="level 2",
    ),
    TopicSpec(
        name="deliveries",
        key="notice and channel",
        partitions=4,
        cleanup="compact,delete",
        retention=30 * _DAY,
        records=(NoticeDelivery,),
        written_by="notifiers",
    ),
    TopicSpec(
        name="actions",
        key="action, or order/action",
        partitions=1,
        cleanup="compact,delete",
        retention=90 * _DAY,  # longer than incidents, so that none of them is ever answered twice
        records=(ActionState, ActionOrder),
        written_by="executors",
    ),
    TopicSpec(
        name="policies",
        key="domain",
        partitions=1,
        cleanup="compact",
        retention=None,
        records=(PolicyChange,),
        written_by="operators",
    ),
    TopicSpec(
        name="dead-letters",
        key="topic-partition-offset",
        partitions=4,
        cleanup="delete",
        retention=7 * _DAY,
        records=(DeadLetter,),
        written_by="every level",
        max_bytes=MAX_RECORD_BYTES,
    ),
)
_OTHERS = frozenset({"producers", "notifiers", "executors", "operators"})
OUTPUTS: tuple[str, ...] = tuple(spec.name for spec in _SHARED if spec.written_by not in _OTHERS)
"""The topics that agents write to and share."""

_INPUT_PARTITIONS = {spec.name: spec.partitions for spec in _SHARED}


def _journal(agent: str, source: str) -> TopicSpec:
    return TopicSpec(
        name=f"journal.{agent}",
        key="partition",
        partitions=_INPUT_PARTITIONS[source],
        cleanup="delete",
        retention=_DAY,
        records=(JournalEntry,),
        written_by=f"agent {agent}",
        copartitioned_with=source,
    )


def _state(agent: str, source: str) -> TopicSpec:
    return TopicSpec(
        name=f"state.{agent}",
        key="state key",
        partitions=_INPUT_PARTITIONS[source],
        cleanup="compact",
        retention=None,
        records=(),
        written_by=f"agent {agent}",
        copartitioned_with=source,
    )


def _checkpoint(agent: str, source: str) -> TopicSpec:
    return TopicSpec(
        name=f"checkpoint.{agent}",
        key="state key",
        partitions=_INPUT_PARTITIONS[source],
        cleanup="delete",
        retention=_DAY,
        records=(),
        written_by=f"agent {agent}",
        copartitioned_with=source,
    )


CATALOGUE: tuple[TopicSpec, ...] = (
    *_SHARED,
    *(_journal(agent, source) for agent, source in AGENTS.items()),
    *(_state(agent, source) for agent, source in AGENTS.items()),
    *(_checkpoint(agent, source) for agent, source in AGENTS.items()),
)
"""Every topic."""
