"""Adds the outcomes of many cases up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import fmean, median

from snowshed.streams.scoring.outcome import Alarms, Outcome

__all__ = ["AlarmScore", "CaseScore", "Score", "alarm_score", "score"]

_DAY = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseScore:
    """One case: what was found, and what the baselines would have raised."""

    outcome: Outcome
    baselines: Mapping[str, Alarms]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmScore:
    """How well and how fast trouble is noticed."""

    troubles: int
    detected: int
    delay_median: float | None
    """Of those detected, in seconds."""
    delay_p95: float | None
    false_alarms: int
    quiet_seconds: float
    false_alarms_a_day: float | None
    """Of simulated time without trouble; None where there was none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How well a set of cases was judged; shares are of the cases with trouble, missed ones included."""

    cases: int
    alarms: AlarmScore
    kind_right: float | None
    first_right: float | None
    top1: float | None
    top3: float | None
    chance1: float | None
    """What a random order of the same names would have as top-1."""
    chance3: float | None
    names: float | None
    """Mean length of the lists of causes."""
    baselines: Mapping[str, AlarmScore]


def score(cases: Sequence[CaseScore]) -> Score:
    """Add up."""
    troubled = [each.outcome for each in cases if each.outcome.troubled]
    namings = [each.naming for each in troubled]
    names = list(cases[0].baselines) if cases else list[str]()
    return Score(
        cases=len(cases),
        alarms=alarm_score([(each.outcome, each.outcome.alarms) for each in cases]),
        kind_right=_mean([each.kind_right for each in troubled]),
        first_right=_mean([each.first_right for each in troubled]),
        top1=_mean([each.top1 for each in namings]),
        top3=_mean([each.top3 for each in namings]),
        chance1=_mean([each.chance1 for each in namings]),
        chance3=_mean([each.chance3 for each in namings]),
        names=_mean([len(each.ranked) for each in namings]),
        baselines={name: alarm_score([(each.outcome, each.baselines[name]) for each in cases]) for name in names},
    )


def alarm_score(found: Sequence[tuple[Outcome, Alarms]]) -> AlarmScore:
    """Add somebody's alarms up."""
    delays = sorted(alarms.delay for _, alarms in found if alarms.delay is not None)
    false, quiet = sum(alarms.false for _, alarms in found), sum(alarms.quiet for _, alarms in found)
    return AlarmScore(
        troubles=sum(outcome.troubled for outcome, _ in found),
        detected=len(delays),
        delay_median=median(delays) if delays else None,
        delay_p95=delays[ceil(0.95 * len(delays)) - 1] if delays else None,
        false_alarms=false,
        quiet_seconds=quiet,
        false_alarms_a_day=false / quiet * _DAY if quiet else None,
    )


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None
