"""A clock was set: what is remembered of its times is told by the clock as it is now.

Rows keep the time that they were written with. So of those written before a step it is remembered up to which version
they go, and the time in one that a replica shows only later is moved as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from snowshed.schemas.records import Marker
from snowshed.streams.lag.servers import Replica, Source
from snowshed.streams.lag.world import LagState

__all__ = ["dated", "moved"]

_STEPS = 8
"""Steps of a writer's clock that are remembered."""


def moved(current: Mapping[str, LagState], node: str, step: float) -> dict[str, LagState]:
    """The sources and replicas with times by a node's clock, after it was set by so many seconds."""
    found: dict[str, LagState] = {}
    for key, value in current.items():
        match value:
            case Source() if value.writer == node:
                found[key] = _source(value, step)
            case Replica() if node in {value.node, value.writer}:
                found[key] = _replica(value, node, step)
            case _:
                pass
    return found


def dated(source: Source | None, marker: Marker) -> Marker:
    """The marker with its row's time by the writer's clock as it is now."""
    if source is None or not source.steps:
        return marker
    since = sum(step for version, step in source.steps if marker.version <= version)
    return replace(marker, written_at=marker.written_at + since) if since else marker


def _source(value: Source, step: float) -> Source:
    return replace(
        value,
        seen_at=value.seen_at + step,
        history=tuple((version, written + step) for version, written in value.history),
        steps=_merged((*value.steps, (value.history[-1][0], step))),
    )


def _merged(steps: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    """The steps, the two oldest made one where there are too many, as from a clock that is slewed."""
    if len(steps) <= _STEPS:
        return steps
    (_, first), (version, second), *rest = steps
    return ((version, first + second), *rest)


def _replica(value: Replica, node: str, step: float) -> Replica:
    if value.node == node:
        value = replace(value, seen_at=value.seen_at + step)
    if value.writer == node:
        newer = None if value.newer is None else value.newer + step
        value = replace(value, written_at=value.written_at + step, newer=newer)
    return value
