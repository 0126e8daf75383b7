"""How far each followed partition has been read, and up to which instant nothing is unread; pure.

The end that a partition had at some instant is its goal: once everything before it has been read, nothing that was
committed by then is unread, however much has been written since. A partition is therefore current without ever being
at rest, and no claim depends on how long an answer or a record was under way.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from math import inf

__all__ = ["Partition", "Progress"]

Partition = tuple[str, int]
"""A topic and a partition number."""


@dataclass(slots=True)
class _Reading:
    current_at: float
    position: int | None = None
    goal: int | None = None
    goal_set_at: float = -inf

    def moved_to(self, position: int) -> None:
        self.position = position
        if self.goal is not None and position >= self.goal:
            self.goal, self.current_at = None, self.goal_set_at

    def ended_at(self, end: int, asked_at: float) -> None:
        position = self.position or 0
        if position == end:
            self.goal, self.current_at = None, asked_at
        elif position < end and self.goal is None:
            # An unmet goal stays: a later one would recede before a reader that is some way behind.
            self.goal, self.goal_set_at = end, asked_at
        # An end before the position is that of a log made anew, and says nothing until the reader has started over.


class Progress:
    """The position in every followed partition and the last instant by which everything committed has been read."""

    def __init__(self) -> None:
        self._readings: dict[Partition, _Reading] = {}
        self._listed_at = -inf

    @property
    def caught_up(self) -> bool:
        """Whether everything that existed has once been read to its end."""
        return self.current_at() > -inf

    @property
    def positions(self) -> dict[Partition, int | None]:
        """The next offset to read of each partition, None for its beginning."""
        return {partition: reading.position for partition, reading in self._readings.items()}

    def current_at(self) -> float:
        """The last instant by which everything committed is known to have been read; -inf before the first.

        Steps back when a partition is found that did not exist when the broker last listed them.
        """
        return min((reading.current_at for reading in self._readings.values()), default=self._listed_at)

    def expect(self, partitions: AbstractSet[Partition], asked_at: float) -> bool:
        """The broker, asked at this instant, lists these partitions; returns whether the followed ones differ."""
        changed = partitions != self._readings.keys()
        self._readings = {
            partition: self._readings.get(partition) or _Reading(current_at=self._listed_at)
            for partition in sorted(partitions)
        }
        self._listed_at = asked_at
        return changed

    def ended_at(self, partition: Partition, end: int, asked_at: float) -> None:
        """The broker, asked at this instant, has everything it has committed before this offset."""
        if reading := self._readings.get(partition):
            reading.ended_at(end, asked_at)

    def read(self, partition: Partition, offset: int) -> None:
        """The record at this offset has been applied, and every one before it."""
        self.reached_end(partition, offset + 1)

    def reached_end(self, partition: Partition, offset: int) -> None:
        """Everything before this offset has been applied; transactions' markers count, though none is a record."""
        if reading := self._readings.get(partition):
            reading.moved_to(offset)
