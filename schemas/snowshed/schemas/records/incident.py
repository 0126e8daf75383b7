"""An incident: one record that grows from its first evidence to its end."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

__all__ = ["Cause", "Evidence", "Incident", "IncidentKind", "IncidentStatus"]


class IncidentKind(Enum):
    """What went wrong."""

    NODE_FAILED = "node_failed"
    REPLICA_LAG = "replica_lag"
    RETRY_AMPLIFICATION = "retry_amplification"
    OVERLOAD = "overload"
    GRAY_FAILURE = "gray_failure"
    """Heartbeats are fine, but callers see errors."""
    PARTITION = "partition"
    """Nodes or services that should hear each other do not."""
    CASCADE = "cascade"
    """Trouble spreads along calls."""
    METASTABLE = "metastable"
    """The trigger has gone and goodput has not come back."""
    CAPACITY_LOSS = "capacity_loss"
    """A service does less than its usual work, and calls fail for it."""
    CONSUMER_GROUP = "consumer_group"
    """A consumer group has stopped, stalled, gone back or falls behind."""
    QUORUM = "quorum"
    """A consensus group has no leader, or cannot lose another member."""
    DIVIDED = "divided"
    """The servers of a dataset are cut off from each other, and its policy says what it keeps meanwhile."""
    DETECTOR = "detector"
    """The detector itself is late or blind, so that its silence proves nothing."""
    CLOCK = "clock"
    """Clocks of nodes are off, so that nothing may be told by the times in their records."""


class IncidentStatus(Enum):
    """Whether the condition still holds."""

    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """A suspected cause with its score, 0 to 1."""

    name: str
    score: float
    reason: str = ""
    """What it rests on, in a few words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One measured value that led to a judgement, and where in the log it stands."""

    series: str
    value: float
    threshold: float
    unit: str
    at: float
    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """What happened to whom since when, what proves it, and what was decided."""

    incident_id: str
    domain: str
    kind: IncidentKind
    status: IncidentStatus
    subject: str
    """The node, edge, service or dataset/replica it is about."""
    summary: str
    opened_at: float
    updated_at: float
    closed_at: float | None = None
    members: tuple[str, ...] = ()
    causes: tuple[Cause, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    decisions: tuple[str, ...] = ()
    confidence: float
    detector_lag: float
    part_of: str = ""
    """The incident that this one is a part of while both are open; empty for one that stands alone."""
    predicted: tuple[str, ...] = ()
    """Who is next if nothing is done."""
    entry_share: float | None = None
    """Share of what comes in that is outside its objective; None where it was not measured."""
