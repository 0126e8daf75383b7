"""From looks at a group to heartbeat rows: each look is a row, and a group shows it once it has read all there was.

No row is written anywhere. The row's number is the look's place on the grid of polls; its time is that of the look. The
interval of replication lag then holds for consumer groups as it does for databases, and its worst partition is what a
group is judged by.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from snowshed.producers.collectors.kafka_groups.look import GroupLook

__all__ = ["Round", "Rounds"]

_KEPT = 64

Place = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Round:
    """A look's ends: whoever has committed up to them has read all that was there at `asked`."""

    version: int
    asked: float
    answered: float
    ends: Mapping[Place, int]


class Rounds:
    """The looks of one group, thinned out towards the past so that memory is bounded.

    Args:
        period: seconds between two looks.
    """

    def __init__(self, period: float) -> None:
        self._period = period
        self._rounds: tuple[Round, ...] = ()

    def add(self, look: GroupLook) -> Round:
        """Take note of a look; a topic that was made anew or grew voids what was known before."""
        ends = {(part.topic, part.partition): part.end for part in look.partitions}
        new = Round(int(look.ends_asked // self._period), look.ends_asked, look.answered, ends)
        if self._rounds and not _continues(self._rounds[-1].ends, ends):
            self._rounds = ()
        if not self._rounds or new.version > self._rounds[-1].version:
            self._rounds = _thinned((*self._rounds, new))
        return new

    def shown(self, look: GroupLook) -> Round:
        """The newest round that the group has read completely.

        A group that is behind the first round shows one before it, of unknown and therefore endless age.
        """
        committed = {(part.topic, part.partition): part.committed or 0 for part in look.partitions}
        for known in reversed(self._rounds):
            if all(committed[place] >= end for place, end in known.ends.items()):
                return known
        return Round(self._rounds[0].version - 1, 0.0, 0.0, {})


def _continues(before: Mapping[Place, int], after: Mapping[Place, int]) -> bool:
    return before.keys() == after.keys() and all(after[place] >= end for place, end in before.items())


def _thinned(rounds: tuple[Round, ...]) -> tuple[Round, ...]:
    if len(rounds) <= _KEPT:
        return rounds
    half = _KEPT // 2
    return rounds[:half:2] + rounds[half:]
