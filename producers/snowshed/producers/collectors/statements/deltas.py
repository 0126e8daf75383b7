"""What statements did between two reads of a server's ever-growing counters."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["Counters", "Ranking", "Snapshot", "StatementKey", "deltas", "rank"]


class StatementKey(NamedTuple):
    """What a server counts separately."""

    caller: str
    queryid: int


class Counters(NamedTuple):
    """Finished calls and the seconds they took together."""

    calls: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All counters of one database at one time."""

    wall: float
    monotonic: float
    reset_at: float | None
    """When the server last forgot all counters."""
    counters: Mapping[StatementKey, Counters]
    partial: bool = False
    """Whether the server hid the statements of other roles."""


class Ranking(NamedTuple):
    """Statements that took the most time, longest first, and the others."""

    top: tuple[tuple[StatementKey, Counters], ...]
    rest: tuple[tuple[StatementKey, Counters], ...]


def deltas(before: Snapshot, after: Snapshot) -> dict[StatementKey, Counters]:
    """What was added between two snapshots; statements without a finished call are left out.

    A counter that went down, or stood before a reset of all of them, started again at zero in between; what it had
    counted up to then is lost. A statement that merely came into sight, because a privilege was granted, adds nothing.
    """
    old: Mapping[StatementKey, Counters] = before.counters if before.reset_at == after.reset_at else {}
    revealed = before.partial and not after.partial
    counted = [key for key in after.counters if key in before.counters or not revealed]
    grown = {key: _grown(old.get(key), after.counters[key]) for key in counted}
    return {key: delta for key, delta in grown.items() if delta.calls > 0}


def _grown(old: Counters | None, now: Counters) -> Counters:
    if old is None or now.calls < old.calls or now.seconds < old.seconds:
        return now
    return Counters(now.calls - old.calls, now.seconds - old.seconds)


def rank(grown: Mapping[StatementKey, Counters], *, without: Container[int], limit: int) -> Ranking:
    """The `limit` statements with the most time, ties by key so that the choice is stable, and all others.

    Statements whose `queryid` is in `without` are in neither.
    """
    kept = [(key, delta) for key, delta in grown.items() if key.queryid not in without]
    kept.sort(key=lambda item: (-item[1].seconds, item[0]))
    return Ranking(tuple(kept[:limit]), tuple(kept[limit:]))
