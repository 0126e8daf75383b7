"""What must have come out, worked out purely from the input log; and how what came out differs from it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tests.chaos.reading import Read
from tests.support.counting import Tally, notice_id

__all__ = ["Differences", "Expected", "compare", "expect"]

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Expected:
    """What a correct run leaves behind."""

    ids: frozenset[str]
    letters: frozenset[str]
    """Dead letters by `partition-offset` of their origin."""
    state: Mapping[str, Tally]
    numbers: tuple[int, ...]
    """The plain numbers in the input, to be compared with what was fed."""
    ends: Mapping[int, int]
    """By partition, the offset behind the last record."""


def expect(records: Iterable[Read]) -> Expected:
    """Fold the input's committed records, in order within each partition."""
    ids: set[str] = set()
    letters: set[str] = set()
    state: dict[str, Tally] = {}
    numbers: list[int] = []
    ends: dict[int, int] = {}
    for record in records:
        ends[record.partition] = record.offset + 1
        number = _number(record.value)
        if number is None:
            letters.add(f"{record.partition}-{record.offset}")
            continue
        key = (record.key or b"").decode()
        state[key] = tally = state.get(key, Tally()).add(number)
        ids.add(notice_id(key, tally))
        numbers.append(number)
    return Expected(frozenset(ids), frozenset(letters), state, tuple(numbers), ends)


def _number(value: bytes | None) -> int | None:
    """The record's number, None for one that belongs to the dead letters."""
    try:
        data = json.loads(value or b"")
    except ValueError:
        return None
    return None if data["poison"] else int(data["number"])


@dataclass(frozen=True, slots=True)
class Differences:
    """How a run differs from a correct one; all empty when it does not."""

    lost: tuple[str, ...] = ()
    repeated: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    """Decisions that no correct run takes: state was lost, or folded twice."""
    letters: tuple[str, ...] = ()
    state: tuple[str, ...] = ()
    others: tuple[str, ...] = field(default=())
    """Offsets that fall short, transactions left open, the feeder's complaints."""

    @property
    def none(self) -> bool:
        """Whether the run was correct."""
        return not self.told

    @property
    def told(self) -> str:
        """The differences in words, a few examples of each."""
        parts = {
            "lost": self.lost,
            "repeated": self.repeated,
            "unexpected": self.unexpected,
            "dead letters": self.letters,
            "state": self.state,
            "also": self.others,
        }
        return "; ".join(f"{len(found)} {name}: {', '.join(found[:_SHOWN])}" for name, found in parts.items() if found)


def compare(
    expected: Expected,
    *,
    ids: Counter[str],
    letters: Counter[str],
    state: Mapping[str, Tally],
    others: Iterable[str],
) -> Differences:
    """What came out beside what should have.

    Args:
        expected: the oracle's.
        ids: how often each decision was read.
        letters: how often each dead letter was read.
        state: the state in the log.
        others: further complaints.
    """
    keys = sorted(expected.state.keys() | state.keys())
    return Differences(
        lost=tuple(sorted(expected.ids - ids.keys())),
        repeated=tuple(sorted(name for name, count in ids.items() if count > 1)),
        unexpected=tuple(sorted(ids.keys() - expected.ids)),
        letters=tuple(_letter_faults(expected.letters, letters)),
        state=tuple(key for key in keys if expected.state.get(key) != state.get(key)),
        others=tuple(others),
    )


def _letter_faults(expected: frozenset[str], found: Counter[str]) -> Iterable[str]:
    for name in sorted(expected | found.keys()):
        count = found[name]
        if name not in expected:
            yield f"{name} has a letter and should have none"
        elif count != 1:
            yield f"{name} has {count} letters"
