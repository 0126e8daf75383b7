"""What one look at a consumer group shows."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["GroupLook", "PartitionLook", "furthest_behind"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionLook:
    """What a group has committed on a partition, and where the partition ends."""

    topic: str
    partition: int
    committed: int | None
    """The next offset to read; None if the group never committed here."""
    end: int
    owned: bool
    """Whether a member of the group has the partition assigned."""

    @property
    def lag(self) -> int:
        """Records between what is committed and the end."""
        return max(0, self.end - (self.committed or 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupLook:
    """All partitions a group is watched on, with the times that bound when this held."""

    group: str
    asked: float
    """Before commits were asked for."""
    ends_asked: float
    """After commits were answered, before ends were asked for."""
    answered: float
    """After the ends had been answered."""
    partitions: tuple[PartitionLook, ...]


def furthest_behind(look: GroupLook, count: int) -> tuple[PartitionLook, ...]:
    """The partitions that are furthest behind, furthest first."""
    return tuple(sorted(look.partitions, key=lambda part: (-part.lag, part.topic, part.partition))[:count])
