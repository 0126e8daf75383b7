"""The topics, as one table: creation, checks and documentation all read it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from snowshed.schemas._murmur2 import murmur2
from snowshed.schemas.errors import ConfigurationError
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

__all__ = ["AGENTS", "CATALOGUE", "MAX_RECORD_BYTES", "OUTPUTS", "TopicSpec", "Topics", "partition_for"]

_DAY = 86_400.0
_SEGMENTS = 24
"""Segments that a retention is cut into."""
_COMPACTED_SEGMENT = 600.0
_DIRTY_RATIO = "0.1"
_LEGAL_PREFIX = re.compile(r"[A-Za-z0-9._-]{1,200}")

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
        records=(Heartbeat,),
        written_by="producers",
        append_time=True,
    ),
    TopicSpec(
        name="timings",
        key="callee",
        partitions=8,
        cleanup="delete",
        retention=_DAY,
        records=(TimingBatch,),
        written_by="producers",
        append_time=True,
    ),
    TopicSpec(
        name="markers",
        key="dataset",
        partitions=8,
        cleanup="delete",
        retention=_DAY,
        records=(Marker, GroupProgress, QuorumAnswers),
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

_SPECS = {spec.name: spec for spec in CATALOGUE}


class Topics:
    """The topics of one installation: their full names, partition counts and Kafka configurations.

    Args:
        prefix: what every full name starts with, before a dot.
        partitions: partition counts by short name, or one count for every topic.
        replication: copies of each partition, -1 for the broker's default.
    """

    def __init__(
        self,
        prefix: str = "snowshed",
        partitions: Mapping[str, int] | int | None = None,
        replication: int = -1,
    ) -> None:
        if not _LEGAL_PREFIX.fullmatch(prefix):
            raise ConfigurationError(f"topic prefix {prefix!r} may only have letters, digits, '.', '_' and '-'")
        if isinstance(partitions, int):
            partitions = {spec.name: partitions for spec in _SHARED}
        self.prefix = prefix
        self.replication = replication
        self._partitions = {short: _checked(short, count) for short, count in (partitions or {}).items()}

    def full(self, short: str) -> str:
        """The full name of a topic of the catalogue."""
        return f"{self.prefix}.{_spec(short).name}"

    def short(self, full: str) -> str:
        """The catalogue's name of a topic; raises ConfigurationError if it is none of this installation's."""
        name = full.removeprefix(f"{self.prefix}.")
        if name == full or name not in _SPECS:
            raise ConfigurationError(f"topic {full!r} is not one of Snowshed's topics with prefix {self.prefix!r}")
        return name

    def partitions(self, short: str) -> int:
        """How many partitions a topic has; a journal, a state and a checkpoint have as many as their agent's input."""
        spec = _spec(_spec(short).copartitioned_with or short)
        return self._partitions.get(spec.name, spec.partitions)

    def config(self, short: str) -> dict[str, str]:
        """The topic's Kafka configuration."""
        spec = _spec(short)
        config = {
            "cleanup.policy": spec.cleanup,
            "message.timestamp.type": "LogAppendTime" if spec.append_time else "CreateTime",
        }
        if spec.max_bytes is not None:
            config["max.message.bytes"] = str(spec.max_bytes)
        if spec.retention is not None:
            # Kafka removes whole segments, so one that spans days would outlive the retention by as much.
            config |= {"retention.ms": _ms(spec.retention), "segment.ms": _ms(spec.retention / _SEGMENTS)}
        if spec.cleanup != "delete":
            # The open segment is never compacted: short segments keep what a restart has to read small.
            config |= {"segment.ms": _ms(_COMPACTED_SEGMENT), "min.cleanable.dirty.ratio": _DIRTY_RATIO}
        return config


def _checked(short: str, partitions: int) -> int:
    if leader := _spec(short).copartitioned_with:
        raise ConfigurationError(f"topic {short!r} has as many partitions as {leader!r}: set them there")
    if partitions < 1:
        raise ConfigurationError(f"topic {short!r} needs at least 1 partition, not {partitions}")
    return partitions


def _ms(seconds: float) -> str:
    return str(round(seconds * 1000))


def _spec(short: str) -> TopicSpec:
    try:
        return _SPECS[short]
    except KeyError:
        raise ConfigurationError(f"there is no topic {short!r}; there are {', '.join(_SPECS)}") from None


def partition_for(key: bytes, partitions: int) -> int:
    """The partition Kafka's own clients put a key on: murmur2, positive, modulo the partition count."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions
