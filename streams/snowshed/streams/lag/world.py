"""The state of one partition's markers as the fold sees it: every value by what it is about."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite, nan
from typing import TypeVar

from snowshed.schemas.records import PositionUnit
from snowshed.streams.clocks import Clock
from snowshed.streams.lag.group_state import Group
from snowshed.streams.lag.histogram import Delays
from snowshed.streams.lag.quorum_state import Quorum
from snowshed.streams.lag.servers import Replica, Source
from snowshed.streams.lag.spending import Spending

__all__ = ["KINDS", "LagState", "behind", "evidence", "found", "lapsed", "lost_note", "newly_lost", "source_of"]

LagState = Clock | Source | Replica | Group | Quorum | Delays | Spending

KINDS = (Clock, Source, Replica, Group, Quorum, Delays, Spending)

_V = TypeVar("_V", bound=LagState)


def found(current: Mapping[str, LagState], kind: type[_V], key: str) -> _V | None:
    """The value at a key, if it is of this kind."""
    value = current.get(key)
    return value if isinstance(value, kind) else None


def source_of(current: Mapping[str, LagState], value: Source | Replica) -> Source | None:
    """Who writes the rows that a server shows."""
    return found(current, Source, f"source/{value.dataset}/{value.writer}")


def lapsed(value: LagState, now: float, forget: float) -> bool:
    """Whether a value is so old that it says nothing any more; a budget is kept for as long as it runs."""
    if isinstance(value, Spending):
        return now - value.appended > value.period
    return now - (value.updated if isinstance(value, Clock) else value.appended) > forget


def behind(current: Mapping[str, LagState], value: Source | Replica, unit: PositionUnit) -> float:
    """Log that is not applied yet, in units that the server counts in; NaN if it counts in others."""
    if isinstance(value, Source):
        return 0.0 if unit is PositionUnit.BYTES else nan
    source = source_of(current, value)
    known = [position for position in (value.source_position, source.position if source else nan) if isfinite(position)]
    counted = known and isfinite(value.position) and value.unit is unit
    return max(max(known) - value.position, 0.0) if counted else nan


def evidence(current: Mapping[str, LagState], value: Source | Replica) -> int:
    """Offset of the newest marker that a judgement of a server rests on."""
    source = source_of(current, value)
    return max(value.offset, source.offset) if source else value.offset


def newly_lost(before: Mapping[str, LagState], current: Mapping[str, LagState]) -> float:
    """Markers that are known to be lost and were not before."""
    total = 0.0
    for key, value in current.items():
        held = before.get(key)
        if isinstance(value, Source | Replica) and isinstance(held, Source | Replica) and value is not held:
            total += value.losses.total - held.losses.total
    return total


def lost_note(current: Mapping[str, LagState], value: Source | Replica, now: float) -> str:
    """Whose markers were lost of late, of those that a statement about a server rests on; empty if none were."""
    source = source_of(current, value)
    servers: list[Source | Replica] = [value] if source is None or isinstance(value, Source) else [value, source]
    lost = [f"{one.losses.recent(now):.0f} markers of {one.server}" for one in servers if one.losses.recent(now)]
    return f"{' and '.join(lost)} were lost of late" if lost else ""
