"""Holds what was found in a case against what is true of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

from snowshed.schemas.records import Incident, IncidentKind
from snowshed.streams.scoring.label import Label

__all__ = ["Alarms", "Naming", "Outcome", "alarms_of", "judge"]

_AFTERMATH = 10.0
"""Seconds after the recovery in which an alarm still belongs to the trouble."""
_LISTED = 3
_OF_ITSELF = frozenset({IncidentKind.DETECTOR, IncidentKind.CLOCK})
"""What says something of the telemetry and nothing of the fleet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarms:
    """When somebody raised an alarm, and how that compares with the truth."""

    delay: float | None
    """Seconds from the onset to the first alarm of the trouble; None where it was missed, or where there was none."""
    false: int
    """Alarms outside the trouble."""
    quiet: float
    """Seconds outside the trouble."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """Who was named as the cause."""

    ranked: tuple[str, ...]
    """Best first."""
    top1: bool
    top3: bool
    chance1: float
    """That a random order of the same names has the trigger first."""
    chance3: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What was found in one case."""

    case: str
    kind: str
    troubled: bool
    alarms: Alarms
    kinds: tuple[str, ...]
    """Kinds of the incidents in the trouble, in the order in which they opened."""
    kind_right: bool
    """Whether a right kind is among them."""
    first_right: bool
    """Whether the first of them is right."""
    naming: Naming


def judge(label: Label, incidents: Sequence[Incident]) -> Outcome:
    """Judge a case by its incidents, each in its last form."""
    own = [each for each in incidents if each.kind not in _OF_ITSELF]
    within = [each for each in own if _belongs(label, each.opened_at - label.start)]
    kinds = tuple(dict.fromkeys(each.kind.value for each in within))
    return Outcome(
        case=label.case,
        kind=label.kind,
        troubled=label.onset is not None,
        # People are told of an incident that stands alone; its parts come with it.
        alarms=alarms_of(label, [each.opened_at - label.start for each in own if not each.part_of]),
        kinds=kinds,
        kind_right=any(kind in label.expected for kind in kinds),
        first_right=bool(kinds) and kinds[0] in label.expected,
        naming=_naming(label, within),
    )


def alarms_of(label: Label, raised: Sequence[float]) -> Alarms:
    """Compare alarms, in seconds from the case's start, with the truth; one that rings already earns nothing."""
    within = [at for at in raised if _belongs(label, at)]
    trouble = 0.0 if label.onset is None else _until(label) - label.onset
    return Alarms(
        delay=None if label.onset is None else min((at - label.onset for at in within), default=None),
        false=len(raised) - len(within),
        quiet=label.seconds - trouble,
    )


def _belongs(label: Label, at: float) -> bool:
    return label.onset is not None and label.onset <= at <= _until(label)


def _until(label: Label) -> float:
    # Beyond the case's end there is nothing, but the last step of a replay may lie a little behind it.
    if label.recovered is None:
        return label.seconds + 1.0
    return min(label.recovered + _AFTERMATH, label.seconds + 1.0)


def _naming(label: Label, incidents: Sequence[Incident]) -> Naming:
    head = _head(incidents)
    ranked = tuple(cause.name for cause in head.causes) or (head.subject,) if head else ()
    hits = sum(name in label.trigger for name in ranked)
    count = len(ranked)
    return Naming(
        ranked=ranked,
        top1=any(name in label.trigger for name in ranked[:1]),
        top3=any(name in label.trigger for name in ranked[:_LISTED]),
        chance1=hits / count if count else 0.0,
        chance3=1.0 - comb(count - hits, _LISTED) / comb(count, _LISTED) if count >= _LISTED else float(hits > 0),
    )


def _head(incidents: Sequence[Incident]) -> Incident | None:
    """The incident that people are told of first: of those that opened together the one with the most members."""
    alone = [each for each in incidents if not each.part_of]
    return min(alone, key=lambda each: (each.opened_at, -len(each.members), -each.confidence), default=None)
