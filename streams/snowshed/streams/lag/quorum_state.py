"""A consensus group by its members' newest answers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isnan, nan

from snowshed.schemas.members import MemberReport, Role
from snowshed.schemas.records import LagStatus, QuorumAnswers
from snowshed.streams.lag.turns import Look, Turn, turn
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
    if quorum is not None:
        now = turn(Look(quorum.asked_at, quorum.appended), Look(record.asked_at, appended), record.period)
        if now is Turn.OVERTAKEN:
            return quorum
    reports = _reports(record)
    health = judge(record.voters, reports, now=record.asked_at, patience=record.period)
    new = Quorum(
        dataset=record.dataset,
        system=record.system,
        asked_at=record.asked_at,
        appended=appended,
        poll_period=record.period,
        offset=offset,
        condition=health.status.value,
        tolerates=float(health.tolerates),
        note=_note(health, reports),
        since=appended,
        inside=health.inside,
    )
    if quorum is None:
        return new
    return replace(new, status=quorum.status, since=quorum.since, reported=quorum.reported, told=quorum.told)


def _reports(record: QuorumAnswers) -> list[MemberReport]:
    without = (nan,) * len(record.member)
    later = (column or without for column in (record.term, record.behind, record.unheard))
    rows = zip(record.member, record.role, record.in_sync, record.pending, *later, strict=True)
    return [
        MemberReport(
            member=member,
            at=record.asked_at,
            role=_ROLES.get(role, Role.NONE),
            in_sync=_count(in_sync),
            pending=_count(pending),
            term=_count(term),
            behind=_count(behind),
            unheard=None if isnan(unheard) else unheard,
        )
        for member, role, in_sync, pending, term, behind, unheard in rows
    ]


def _count(value: float) -> int | None:
    return None if isnan(value) else int(value)


def _note(health: QuorumHealth, reports: list[MemberReport]) -> str:
    leader = f"leader {', '.join(health.leaders)}" if health.leaders else "no leader"
    silent = f"; silent: {', '.join(health.silent)}" if health.silent else ""
    out = "".join(map(_out, reports))
    return f"{leader}, {health.in_sync} of {health.voters} in sync{silent}{out}"


def _out(report: MemberReport) -> str:
    """What the leader says of a member that takes no part."""
    if report.role is not Role.NONE or report.behind is None or report.unheard is None:
        return ""
    return f"; {report.member} is {report.behind} records behind and was last heard {report.unheard:.1f} s ago"
