"""What two policies make of the same recording, held against each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from snowshed.streams.replay.result import ReplayResult
from snowshed.streams.replay.spans import Span, spans_of

__all__ = ["Comparison", "Pair", "compare"]

_SAME_MOMENT = 0.05
"""Seconds within which two moments are the same."""
_SAME_TROUBLE = 30.0
"""Seconds between the beginnings of two spans that do not overlap and may still be about the same trouble."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """The same incident or decision under both policies."""

    a: Span
    b: Span

    @property
    def shift(self) -> float:
        """Seconds by which it begins later under B; negative where it begins earlier."""
        return self.b.begun - self.a.begun

    @property
    def same(self) -> bool:
        """Whether it begins, ends and is set alike."""
        if (self.a.ended is None) != (self.b.ended is None) or self.a.setting != self.b.setting:
            return False
        end = (self.b.ended or 0.0) - (self.a.ended or 0.0)
        return abs(self.shift) < _SAME_MOMENT and abs(end) < _SAME_MOMENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two replays of one recording, side by side."""

    only_a: tuple[Span, ...]
    only_b: tuple[Span, ...]
    changed: tuple[Pair, ...]
    """In both, but earlier, later, or otherwise set."""
    same: tuple[Pair, ...]


def compare(a: ReplayResult, b: ReplayResult) -> Comparison:
    """Match what two policies made of the same recording."""
    rest = list(spans_of(b.incidents, b.decisions))
    only_a: list[Span] = []
    pairs: list[Pair] = []
    for span in spans_of(a.incidents, a.decisions):
        found = _counterpart(span, rest)
        if found is None:
            only_a.append(span)
        else:
            rest.remove(found)
            pairs.append(Pair(a=span, b=found))
    return Comparison(
        only_a=tuple(only_a),
        only_b=tuple(rest),
        changed=tuple(pair for pair in pairs if not pair.same),
        same=tuple(pair for pair in pairs if pair.same),
    )


def _counterpart(span: Span, others: Sequence[Span]) -> Span | None:
    near = [other for other in others if other.key == span.key and _apart(span, other) <= _SAME_TROUBLE]
    return min(near, key=lambda other: (_apart(span, other), abs(other.begun - span.begun)), default=None)


def _apart(one: Span, other: Span) -> float:
    """0 where two spans overlap, else the seconds between their beginnings."""
    overlap = min(_end(one), _end(other)) > max(one.begun, other.begun)
    return 0.0 if overlap else abs(one.begun - other.begun)


def _end(span: Span) -> float:
    return inf if span.ended is None else span.ended
