"""What is remembered of a source and of a replica: constant size each."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field, replace
from math import isfinite, nan

from snowshed.schemas.records import LagStatus, Marker, PositionUnit
from snowshed.streams.lag.losses import Losses, gapped, looked

__all__ = ["Replica", "Source", "first_newer", "seen", "written"]

_HISTORY = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A writer of marker rows and the server it writes at."""

    dataset: str
    server: str
    system: str
    writer: str
    seen_at: float
    monotonic: float
    appended: float
    row_period: float
    poll_period: float
    position: float
    """Log written, as far as this server says."""
    offset: int
    history: tuple[tuple[float, float], ...]
    """(version, written_at) of rows by ascending version, thinned out towards the past."""
    took: tuple[tuple[float, float], ...] = ()
    """Their versions with the seconds until each was known to be committed."""
    status: LagStatus = LagStatus.FRESH
    since: float
    reported: float = 0.0
    """Time of the last report."""
    news: bool = True
    """Whether a marker came since the last report."""
    steps: tuple[tuple[float, float], ...] = ()
    """Steps of the writer's clock, each with the newest version that was written before it."""
    losses: Losses = field(default_factory=Losses)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """A server that applies rows, by its newest marker."""

    dataset: str
    server: str
    system: str
    node: str
    writer: str
    version: float
    written_at: float
    seen_at: float
    monotonic: float
    appended: float
    row_period: float
    poll_period: float
    position: float
    source_position: float
    offset: int
    unit: PositionUnit = PositionUnit.BYTES
    newer: float | None = None
    """When, on the writer's clock, the first row newer than `version` was known to be committed; None while there is
    none that is known."""
    status: LagStatus = LagStatus.UNKNOWN
    since: float
    reported: float = 0.0
    news: bool = True
    condition: str = ""
    """State of a consumer group in the last report."""
    pending: tuple[tuple[int, float, float], ...] = ()
    """Delays of writes that are not yet in the replica's histogram, by bin."""
    good: float = 0.0
    bad: float = 0.0
    """Seconds inside and outside the objective that are not yet in the dataset's budget."""
    counted: float = 0.0
    """When these three were last moved there."""
    losses: Losses = field(default_factory=Losses)


def written(source: Source | None, marker: Marker, appended: float, offset: int) -> Source:
    """The source after one more of its markers; a duplicate or late one changes nothing."""
    if source is not None and _stale(source, marker):
        return source
    row = (marker.version, marker.written_at)
    took = (marker.version, max(marker.seen_at - marker.written_at, 0.0))
    new = Source(
        dataset=marker.dataset,
        server=marker.replica,
        system=marker.system,
        writer=marker.writer,
        seen_at=marker.seen_at,
        monotonic=marker.monotonic,
        appended=appended,
        row_period=marker.row_period,
        poll_period=marker.poll_period,
        position=_furthest(marker.position, marker.source_position),
        offset=offset,
        history=(row,),
        took=(took,),
        since=appended,
    )
    if source is None:
        return new
    history = source.history if row[0] <= source.history[-1][0] else _thinned((*source.history, row))
    if row[0] < source.history[-1][0] and row[1] > source.history[-1][1]:
        history = (row,)
    durations = dict((*source.took, took))
    return replace(
        new,
        history=history,
        took=tuple([(version, durations[version]) for version, _ in history if version in durations]),
        status=source.status,
        since=source.since,
        reported=source.reported,
        steps=source.steps,
        losses=gapped(source.losses, row[0] - source.history[-1][0] - 1.0, appended),
    )


def seen(replica: Replica | None, marker: Marker, appended: float, offset: int) -> Replica:
    """The replica after one more of its markers; a duplicate or late one changes nothing."""
    if replica is not None and _stale(replica, marker):
        return replica
    new = Replica(
        dataset=marker.dataset,
        server=marker.replica,
        system=marker.system,
        node=marker.node,
        writer=marker.writer,
        version=marker.version,
        written_at=marker.written_at,
        seen_at=marker.seen_at,
        monotonic=marker.monotonic,
        appended=appended,
        row_period=marker.row_period,
        poll_period=marker.poll_period,
        position=_furthest(marker.position),
        source_position=_furthest(marker.source_position),
        offset=offset,
        unit=marker.unit,
        since=appended,
        losses=Losses(dropped=marker.lost),
    )
    if replica is None:
        return new
    newer = replica.newer if (new.version, new.writer) == (replica.version, replica.writer) else None
    return replace(
        new,
        newer=newer,
        status=replica.status,
        since=replica.since,
        reported=replica.reported,
        condition=replica.condition,
        pending=replica.pending,
        good=replica.good,
        bad=replica.bad,
        counted=replica.counted,
        losses=_looked(replica, marker, appended),
    )


def first_newer(source: Source, version: float) -> float | None:
    """When, on the writer's clock, the first remembered row newer than `version` was known to be committed.

    None if none is known.
    """
    index = bisect_right(source.history, version, key=lambda row: row[0])
    if index == len(source.history):
        return None
    newer, written_at = source.history[index]
    return written_at + dict(source.took).get(newer, 0.0)


def _looked(held: Replica, marker: Marker, appended: float) -> Losses:
    passed = marker.monotonic - held.monotonic if marker.node == held.node else 0.0
    return looked(held.losses, marker.lost, passed, marker.poll_period, appended)


def _stale(held: Source | Replica, marker: Marker) -> bool:
    return marker.monotonic <= held.monotonic and marker.seen_at <= held.seen_at


def _thinned(history: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    if len(history) <= _HISTORY:
        return history
    half = _HISTORY // 2
    return history[:half:2] + history[half:]


def _furthest(*positions: float) -> float:
    return max((position for position in positions if isfinite(position)), default=nan)
