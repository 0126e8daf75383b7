"""How far each followed partition has been read, and since when the reader is behind; pure."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from math import inf

__all__ = ["Partition", "Progress"]

Partition = tuple[str, int]
"""A topic and a partition number."""


class Progress:
    """The next offset of every followed partition and the last instant at which nothing committed was unread."""

    def __init__(self) -> None:
        self._next: dict[Partition, int | None] = {}
        self._behind_since: dict[Partition, float] = {}
        self._asked = False
        self._caught_up = False
        self._heard_at = -inf

    @property
    def caught_up(self) -> bool:
        """Whether everything that existed has once been read to its end."""
        return self._caught_up

    @property
    def positions(self) -> dict[Partition, int | None]:
        """The next offset to read of each partition, None for its beginning."""
        return dict(self._next)

    def current_at(self) -> float:
        """The last instant at which everything committed was known to have been read; -inf before the first."""
        if not self._caught_up:
            return -inf
        return min(self._heard_at, min(self._behind_since.values(), default=inf))

    def expect(self, partitions: AbstractSet[Partition], now: float) -> bool:
        """The broker lists these partitions; returns whether they differ from the followed ones."""
        changed = partitions != self._next.keys()
        for gone in self._next.keys() - partitions:
            del self._next[gone]
            self._behind_since.pop(gone, None)
        for new in sorted(partitions - self._next.keys()):
            self._next[new] = None
            self._behind_since[new] = now
        self._asked = True
        self.heard(now)
        return changed

    def suspect(self) -> None:
        """Contact was lost and found again: nothing counts as read to its end until the broker says so anew."""
        for partition in self._next:
            self._behind_since.setdefault(partition, self._heard_at)

    def read(self, partition: Partition, offset: int, now: float) -> None:
        """The record at this offset has been applied; more may follow."""
        self._next[partition] = offset + 1
        self._behind_since.setdefault(partition, now)
        self._heard_at = now

    def reached_end(self, partition: Partition, offset: int, now: float) -> None:
        """The broker has nothing committed at or after this offset."""
        self._next[partition] = offset
        self._behind_since.pop(partition, None)
        self.heard(now)

    def heard(self, now: float) -> None:
        """The broker answered."""
        self._heard_at = now
        self._caught_up = self._caught_up or (self._asked and not self._behind_since)
