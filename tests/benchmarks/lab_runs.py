"""Plays scenarios of the lab, and what each run is measured by."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from math import inf, nan

from tests.benchmarks.report import Figure
from tests.benchmarks.stage import Stage

from snowshed.streams.lab import Kafka, Outcome, Played, Scenario
from snowshed.streams.lab.session import Session

__all__ = ["attempts_at", "back", "failed", "figure", "first_finding", "play", "success"]

_QUICK = 0.15


def play(stage: Stage, scenario: Scenario, protect: str, seeds: Sequence[int], kafka: Kafka) -> list[Played]:
    """One arrangement with each seed."""
    return [_played(stage, scenario, protect, seed, kafka) for seed in seeds]


def _played(stage: Stage, whole: Scenario, protect: str, seed: int, kafka: Kafka) -> Played:
    stage.tell(f"{whole.name}, {protect}, seed {seed}")
    scenario = whole.scaled(stage.pick(1.0, _QUICK))
    session = Session(scenario=scenario, seed=seed, folder=stage.folder / f"{whole.name}-{seed}", kafka=kafka)
    played = asyncio.run(session.play(protect, lambda _told: None))
    found = played.verdict()
    stage.tell(f"  lost {found.lost:.1f} s, in time {found.success:.1%}, back after {found.recovered_after}")
    stage.tell(f"  sent up to {1e3 * played.late:.0f} ms late")
    return played


def figure(
    label: str, unit: str, runs: Sequence[Played], measured: Callable[[Played], float], goal: str = ""
) -> Figure:
    """One figure of all runs."""
    return Figure.of(label, unit, [measured(one) for one in runs], goal)


def back(played: Played) -> float:
    """Seconds from the trouble's end to the first of five good ones on end; inf for never."""
    after = played.verdict().recovered_after
    return inf if after is None else after


def success(played: Played) -> float:
    """Per cent of the requests since the trouble's beginning that were answered in time."""
    return 100 * played.verdict().success


def failed(played: Played) -> float:
    """Requests that failed otherwise than by being refused or late, or never ended."""
    return float(sum(one.outcome in (Outcome.FAILED, Outcome.OPEN) for one in played.ended))


def attempts_at(service: str) -> Callable[[Played], float]:
    """Attempts that a service received for each request asked of the whole, from the trouble's beginning on."""

    def measured(played: Played) -> float:
        due = sum(one.offered for one in played.bins() if one.second >= int(played.scenario.trouble[0]))
        return played.received[service] / due if due else nan

    return measured


def first_finding(played: Played) -> float:
    """Seconds from the trouble's beginning to what Snowshed first found or decided; NaN for nothing."""
    begin = played.scenario.trouble[0]
    return next((note.at - begin for note in played.notes if note.decided and note.at >= begin), nan)
