"""How a consumer group keeps up with a partition: Burrow's rules, mended where they are blind.

Over the last ten commits (Burrow's window), while the lag now is above what is allowed:

1. STOP: no commit for longer than those ten took, and records have waited for as long.
2. REWIND: an offset decreased.
3. STALL: the offset did not move although the group was alive and behind at every commit.
4. WARN: behind at every commit, and the lag never decreased.
5. WARN: the lag grew over five minutes, by the slope of Theil and Sen, whatever single commits showed.

Else it is OK. Unlike in Burrow the lag is that of the *log's* progress, so it grows while nobody commits (Burrow#58,
#287); a record must have waited before a group counts as stopped, so a slow topic is no stop (#38, #303); and a dip
does not excuse a lag that grows steadily (#738) nor an offset that went back. The lag in seconds is an interval by
`log_ends` and is never extrapolated (kafka-lag-exporter#5).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from itertools import pairwise
from math import inf

from snowshed.streams.lag.log_ends import End, appended, looked
from snowshed.streams.lag.trend import trend
from snowshed.streams.policy import GroupPolicy

__all__ = ["Commit", "GroupStatus", "PartitionProgress", "PartitionSeen", "Verdict", "judge", "observe"]

_SLOPE_SAMPLES = 60


class GroupStatus(Enum):
    """State of a group on a partition, from good to bad."""

    OK = "ok"
    UNKNOWN = "unknown"
    WARN = "warn"
    STALL = "stall"
    REWIND = "rewind"
    STOP = "stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionSeen:
    """One look at a partition: what the group has committed, and where the log ends."""

    asked: float
    at: float
    """When the end was asked for and when it was answered: it held at some time between."""
    committed: int | None
    """None: the group has never committed here."""
    end: int
    alive: bool = True
    """Whether a member owns the partition: then an unchanged offset is a commit that made no progress."""


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit and the lag it left."""

    at: float
    offset: int
    lag: int


@dataclass(frozen=True, slots=True)
class PartitionProgress:
    """What is remembered of a group on a partition: constant size."""

    ends: tuple[End, ...] = ()
    commits: tuple[Commit, ...] = ()
    lags: tuple[tuple[float, float], ...] = ()
    """(time, records of lag) over the slope's window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How the group stands on the partition now."""

    status: GroupStatus
    lag: int
    """Records between the committed offset and the end of the log."""
    low: float
    """Seconds the oldest record that is not yet committed has waited, at least."""
    seconds: float
    """The same, by interpolation."""
    high: float
    """The same, at most; infinite for a record that is older than the first look."""
    slope: float
    """Records a second by which the lag grows; NaN while unknown."""


def observe(progress: PartitionProgress, seen: PartitionSeen, policy: GroupPolicy) -> PartitionProgress:
    """What is remembered after one more look."""
    if progress.ends and seen.end < progress.ends[-1].offset:
        progress = PartitionProgress()
    progress = replace(progress, ends=looked(progress.ends, seen.end, asked=seen.asked, answered=seen.at))
    if seen.committed is None:
        return replace(progress, commits=(), lags=())
    lag = max(0, seen.end - seen.committed)
    return replace(progress, commits=_commits(progress, seen, lag, policy), lags=_lags(progress, seen.at, lag, policy))


def judge(progress: PartitionProgress, now: float, policy: GroupPolicy) -> Verdict:
    """How the group stands at `now`."""
    if not progress.commits:
        return Verdict(
            status=GroupStatus.UNKNOWN, lag=0, low=0.0, seconds=0.0, high=inf, slope=trend(progress.lags).slope
        )
    committed = progress.commits[-1].offset
    lag = max(0, progress.ends[-1].offset - committed)
    oldest = appended(progress.ends, committed)
    low, seconds, high = (0.0, 0.0, 0.0) if oldest is None else (now - when for when in reversed(oldest))
    return Verdict(
        status=_status(progress, lag, low, now, policy),
        lag=lag,
        low=low,
        seconds=seconds,
        high=high,
        slope=trend(progress.lags).slope,
    )


def _commits(progress: PartitionProgress, seen: PartitionSeen, lag: int, policy: GroupPolicy) -> tuple[Commit, ...]:
    commits, offset = progress.commits, seen.committed or 0
    moved = not commits or offset != commits[-1].offset
    if not moved and not seen.alive:
        return commits
    return (*commits, Commit(seen.at, offset, lag))[-policy.commits :]


def _lags(progress: PartitionProgress, at: float, lag: int, policy: GroupPolicy) -> tuple[tuple[float, float], ...]:
    kept = tuple(sample for sample in progress.lags if sample[0] > at - policy.slope_window)
    if kept and at < kept[-1][0] + policy.slope_window / _SLOPE_SAMPLES:
        return kept
    return (*kept, (at, float(lag)))


def _status(progress: PartitionProgress, lag: int, waited: float, now: float, policy: GroupPolicy) -> GroupStatus:
    commits = progress.commits
    if lag <= policy.allowed:
        return GroupStatus.OK
    if _stopped(commits, waited, now, policy):
        return GroupStatus.STOP
    if any(later.offset < earlier.offset for earlier, later in pairwise(commits)):
        return GroupStatus.REWIND
    if len(commits) == policy.commits and all(commit.lag > policy.allowed for commit in commits):
        if commits[0].offset == commits[-1].offset:
            return GroupStatus.STALL
        if all(later.lag >= earlier.lag for earlier, later in pairwise(commits)):
            return GroupStatus.WARN
    return GroupStatus.WARN if _grows(progress.lags, policy) else GroupStatus.OK


def _stopped(commits: tuple[Commit, ...], waited: float, now: float, policy: GroupPolicy) -> bool:
    patience = max(commits[-1].at - commits[0].at, policy.patience)
    return now - commits[-1].at > patience and waited > patience


def _grows(lags: tuple[tuple[float, float], ...], policy: GroupPolicy) -> bool:
    if len(lags) < 2 or lags[-1][0] - lags[0][0] < policy.slope_window / 2:
        return False
    slope, z = trend(lags)
    return slope > 0 and z > policy.slope_z
