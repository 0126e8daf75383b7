"""A consumer group by its partitions that are furthest behind; it is judged by the worst of them."""

from __future__ import annotations

from dataclasses import dataclass

from snowshed.schemas.records import GroupProgress
from snowshed.streams.lag.groups import GroupStatus, PartitionProgress, PartitionSeen, Verdict, judge, observe
from snowshed.streams.lag.turns import Look, Turn, turn
from snowshed.streams.policy import GroupPolicy

__all__ = ["Group", "looked"]

_ORDER = tuple(GroupStatus)


@dataclass(frozen=True, slots=True)
class Place:
    """One partition."""

    name: str
    """`topic/partition`."""
    progress: PartitionProgress


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """What is remembered of a group: a few partitions, constant size each."""

    answered: float
    appended: float
    status: GroupStatus
    note: str
    places: tuple[Place, ...]


def looked(group: Group | None, record: GroupProgress, appended: float, policy: GroupPolicy) -> Group:
    """The group after one more look; one that is late or repeated changes nothing."""
    held: dict[str, PartitionProgress] = {}
    if group is not None:
        now = turn(Look(group.answered, group.appended), Look(record.answered, appended), record.period)
        if now is Turn.OVERTAKEN:
            return group
        held = {place.name: place.progress for place in group.places} if now is Turn.NEXT else {}
    places = tuple(_placed(held, record, row, policy) for row in range(len(record.place)))
    verdicts = [(judge(place.progress, record.answered, policy), place.name) for place in places]
    worst, name = max(verdicts, key=_gravity, default=(None, ""))
    return Group(
        answered=record.answered,
        appended=appended,
        status=worst.status if worst else GroupStatus.UNKNOWN,
        note=_note(record, worst, name),
        places=places,
    )


def _placed(held: dict[str, PartitionProgress], record: GroupProgress, row: int, policy: GroupPolicy) -> Place:
    committed = int(record.committed[row])
    seen = PartitionSeen(
        asked=record.asked,
        at=record.answered,
        committed=None if committed < 0 else committed,
        end=int(record.end[row]),
        alive=record.owned[row] > 0,
    )
    return Place(record.place[row], observe(held.get(record.place[row], PartitionProgress()), seen, policy))


def _gravity(judged: tuple[Verdict, str]) -> tuple[int, int]:
    return _ORDER.index(judged[0].status), judged[0].lag


def _note(record: GroupProgress, worst: Verdict | None, name: str) -> str:
    total = f"{record.lag:.0f} records behind on {record.partitions:.0f} partitions"
    return f"{total}; worst is {name} with {worst.lag}" if worst and worst.lag else total
