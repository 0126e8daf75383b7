"""The topics, as one table: creation, checks and documentation all read it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from snowshed.schemas._murmur2 import murmur2
from snowshed.schemas._topic_table import AGENTS, CATALOGUE, MAX_RECORD_BYTES, OUTPUTS, TopicSpec
from snowshed.schemas.errors import ConfigurationError

__all__ = ["AGENTS", "CATALOGUE", "MAX_RECORD_BYTES", "OUTPUTS", "TopicSpec", "Topics", "partition_for"]

_SEGMENTS = 24
"""Segments that a retention is cut into."""
_COMPACTED_SEGMENT = 600.0
_DIRTY_RATIO = "0.1"
_LEGAL_PREFIX = re.compile(r"[A-Za-z0-9._-]{1,200}")
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
            partitions = {spec.name: partitions for spec in CATALOGUE if not spec.copartitioned_with}
        self.prefix = prefix
        self.replication = replication
        self._full = {name: f"{prefix}.{spec.name}" for name, spec in _SPECS.items()}
        self._partitions = {short: _checked(short, count) for short, count in (partitions or {}).items()}

    def full(self, short: str) -> str:
        """The full name of a topic of the catalogue."""
        return self._full.get(short) or f"{self.prefix}.{_spec(short).name}"

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
