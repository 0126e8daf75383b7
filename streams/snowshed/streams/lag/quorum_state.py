"""A consensus group by its members' newest answers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isnan, nan

from snowshed.schemas.members import MemberReport, Role
from snowshed.schemas.records import LagStatus, QuorumAnswers
from snowshed.streams.quorum import QuorumHealth, judge

__all__ = ["SERVER", "Quorum", "answered"]

SERVER = "quorum"
"""Stands where the name of a replica stands."""

_ROLES = {role.value: role for role in Role}


@dataclass(frozen=True, slots=True, kw_only=True)
class Quorum:
    """What is remembered of a group: its state as of the newest round of answers."""

    dataset: str
    system: str
    asked_at: float
    appended: float
    poll_period: float
    offset: int
    condition: str
    tolerates: float
    note: str
    status: LagStatus = LagStatus.FRESH
    since: float
    reported: float = 0.0
    told: str = ""
    """The condition in the last report."""
    inside: tuple[str, ...] = ()
    """Voters that are known to take part in the majority."""
    news: bool = True


def answered(quorum: Quorum | None, record: QuorumAnswers, appended: float, offset: int) -> Quorum:
    """The group after one more round; one that is late or repeated changes nothing."""
    if quorum is not None and record.asked_at <= quorum.asked_at:
        return quorum
    health = judge(record.voters, _reports(record), now=record.asked_at, patience=record.period)
    new = Quorum(
        dataset=record.dataset,
        system=record.system,
        asked_at=record.asked_at,
        appended=appended,
        poll_period=record.period,
        offset=offset,
        condition=health.status.value,
        tolerates=float(health.tolerates),
        note=_note(health),
        since=appended,
        inside=health.inside,
    )
    if quorum is None:
        return new
    return replace(new, status=quorum.status, since=quorum.since, reported=quorum.reported, told=quorum.told)


def _reports(record: QuorumAnswers) -> list[MemberReport]:
    terms = record.term or (nan,) * len(record.member)
    rows = zip(record.member, record.role, record.in_sync, record.pending, terms, strict=True)
    return [
        MemberReport(
            member=member,
            at=record.asked_at,
            role=_ROLES.get(role, Role.NONE),
            in_sync=None if isnan(in_sync) else int(in_sync),
            pending=None if isnan(pending) else int(pending),
            term=None if isnan(term) else int(term),
        )
        for member, role, in_sync, pending, term in rows
    ]


def _note(health: QuorumHealth) -> str:
    leader = f"leader {', '.join(health.leaders)}" if health.leaders else "no leader"
    silent = f"; silent: {', '.join(health.silent)}" if health.silent else ""
    return f"{leader}, {health.in_sync} of {health.voters} in sync{silent}"
