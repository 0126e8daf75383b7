"""What can differ between the log and a fold of its input, and where."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum
from typing import Any

__all__ = ["Difference", "FieldDifference", "Findings", "Kind", "Unproved", "compared"]


class Kind(Enum):
    """What differs."""

    JOURNAL = "journal"
    """The journal tells of a batch twice, or not at all."""
    CHANGED = "changed output"
    MISSING = "missing output"
    UNEXPECTED = "unexpected output"
    """No batch explains it."""
    REPEATED = "repeated output"
    BATCH = "batch"
    """What the journal tells of it: its number of records, letters or outputs, or their digest."""
    STATE = "state"
    CHECKPOINT = "checkpoint"


_RANKS = {kind: rank for rank, kind in enumerate(Kind)}


@dataclass(frozen=True, slots=True)
class FieldDifference:
    """A field whose value is not what it should be; None where there is no value at all."""

    name: str
    expected: str | None
    found: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that is not what the input gives."""

    kind: Kind
    agent: str
    """Agent whose batch it is; empty for an output that names none."""
    partition: int
    """The agent's partition."""
    version: int
    """The batch, by its version; -1 where no batch explains what was found."""
    at: float
    """Time of the batch, or of what was found."""
    reason: str
    first_offset: int = -1
    """Offsets of the batch on the agent's input, up to before `next_offset`."""
    next_offset: int = -1
    topic: str = ""
    """Short name of the topic where the record that differs stands or should stand."""
    topic_partition: int = -1
    offset: int = -1
    """Where it stands, -1 where nothing does."""
    index: int = -1
    """Position among the batch's outputs."""
    key: str = ""
    fields: tuple[FieldDifference, ...] = ()
    """Those that differ, with their values on both sides."""

    @property
    def order(self) -> tuple[float, str, int, int, int, int, int]:
        """Sorts by time, then by place; an output before the digest of its batch."""
        rank = _RANKS[self.kind]
        return self.at, self.agent, self.partition, self.version, rank, self.topic_partition, self.offset


@dataclass(frozen=True, slots=True)
class Unproved:
    """A partition whose batches cannot be folded again."""

    agent: str
    partition: int
    reason: str
    provable_from: float | None = None
    """Time from which on its next batch writes a checkpoint to begin from, in workers with the default settings."""


@dataclass(slots=True)
class Findings:
    """Differences as they are found: the earliest are kept, all are counted.

    Args:
        limit: how many are kept.
    """

    limit: int = 1_000
    count: int = 0
    kept: list[Difference] = field(default_factory=list[Difference])

    def add(self, difference: Difference) -> None:
        """Take note of one."""
        self.count += 1
        insort(self.kept, difference, key=lambda kept: kept.order)
        del self.kept[self.limit :]

    def merge(self, other: Findings) -> None:
        """Take over what another has found."""
        for difference in other.kept:
            self.add(difference)
        self.count += other.count - len(other.kept)


def compared(expected: object, found: object) -> tuple[FieldDifference, ...]:
    """The fields in which two values differ; None for a value means that there is none."""
    one, other = dict(_flat("", expected)), dict(_flat("", found))
    return tuple(
        FieldDifference(name, one.get(name), other.get(name))
        for name in dict.fromkeys([*one, *other])
        if one.get(name) != other.get(name)
    )


def _flat(name: str, value: object) -> Iterator[tuple[str, str]]:
    if value is None and not name:
        return
    if is_dataclass(value) and not isinstance(value, type):
        for each in fields(value):
            yield from _flat(f"{name}.{each.name}" if name else each.name, getattr(value, each.name))
    elif isinstance(value, tuple):
        yield from _flat_items(name, value)  # pyright: ignore[reportUnknownArgumentType] - a tuple of anything
    else:
        yield name or "value", _text(value)


def _flat_items(name: str, values: tuple[Any, ...]) -> Iterator[tuple[str, str]]:
    names: tuple[str, ...] = getattr(values, "_fields", ())
    for number, value in enumerate(values):
        inner = names[number] if names else f"[{number}]"
        yield from _flat(f"{name}.{inner}" if names and name else f"{name}{inner}", value)


def _text(value: object) -> str:
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return str(value)
