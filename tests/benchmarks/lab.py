"""The lab's retry storm under every arrangement, and with Kafka killed in the middle: real processes on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import inf, nan

from tests.benchmarks.report import Figure, Section
from tests.benchmarks.stage import Stage

from snowshed.streams.broker import LocalKafka
from snowshed.streams.lab import SCENARIOS, Kafka, Outcome, Played
from snowshed.streams.lab.session import Session

__all__ = ["run"]

_ARRANGEMENTS = ("off", "local", "central", "both")
_QUICK = 0.15
_STORM, _LOSS = "retry_storm", "control_plane_loss"


def run(stage: Stage) -> Section:
    """Every arrangement, the same seeds."""
    seeds = range(1, stage.often(3, 1) + 1)
    with LocalKafka() as own:
        kafka = Kafka(own.bootstrap, own)

        def play(name: str, protect: str) -> list[Played]:
            return [_played(stage, name, protect, seed, kafka) for seed in seeds]

        storms = {protect: play(_STORM, protect) for protect in stage.pick(_ARRANGEMENTS, ("off", "both"))}
        lossy = play(_LOSS, "both")
    storm = SCENARIOS[_STORM]
    return Section(
        "lab",
        f"`snowshed lab run {_STORM}` and `{_LOSS}`, {storm.load.rate:.0f} requests a second, seeds 1 to {seeds[-1]}; "
        "spreads are the least and the greatest; inf is never within the 35 s after the trouble.",
        (*_storms(storms), *_losses(lossy, storms["both"])),
    )


def _played(stage: Stage, name: str, protect: str, seed: int, kafka: Kafka) -> Played:
    stage.tell(f"{name}, {protect}, seed {seed}")
    scenario = SCENARIOS[name].scaled(stage.pick(1.0, _QUICK))
    session = Session(scenario=scenario, seed=seed, folder=stage.folder / f"{name}-{seed}", kafka=kafka)
    played = asyncio.run(session.play(protect, lambda _told: None))
    found = played.verdict()
    stage.tell(f"  lost {found.lost:.1f} s, in time {found.success:.1%}, back after {found.recovered_after}")
    return played


def _storms(storms: Mapping[str, Sequence[Played]]) -> Iterator[Figure]:
    for protect, runs in storms.items():
        yield _figure(f"{protect}: goodput lost", "s", runs, lambda one: one.verdict().lost)
        yield _figure("… back after the trouble's end", "s", runs, _back)
        yield _figure("… answered in time from the trouble on", "%", runs, lambda one: 100 * one.verdict().success)
        yield _figure("… p99 of what was answered", "s", runs, lambda one: one.verdict().p99)
        yield _figure("… attempts a request at the server from the trouble on", "", runs, _amplification)
        if protect in ("central", "both"):
            yield _figure("… first decision after the trouble's beginning", "s", runs, _decided, "≤ 2")


def _losses(lossy: Sequence[Played], whole: Sequence[Played]) -> Iterator[Figure]:
    """B10: what the loss of Kafka costs on top."""
    ratios = [100 * one.verdict().success / other.verdict().success for one, other in zip(lossy, whole, strict=True)]
    yield Figure.of("Kafka killed for 20 s: answered in time, against Kafka alive", "%", ratios, "≥ 90")
    yield _figure("… requests that failed or hung", "", lossy, _failed, "0")
    yield _figure("… goodput lost", "s", lossy, lambda one: one.verdict().lost)
    yield _figure("… back after the trouble's end", "s", lossy, _back)


def _figure(
    label: str, unit: str, runs: Sequence[Played], measured: Callable[[Played], float], goal: str = ""
) -> Figure:
    return Figure.of(label, unit, [measured(one) for one in runs], goal)


def _back(played: Played) -> float:
    after = played.verdict().recovered_after
    return inf if after is None else after


def _amplification(played: Played) -> float:
    due = sum(one.offered for one in played.bins() if one.second >= int(played.scenario.trouble[0]))
    return played.received["server"] / due if due else nan


def _decided(played: Played) -> float:
    begin = played.scenario.trouble[0]
    return next((note.at - begin for note in played.notes if note.decided and note.at >= begin), nan)


def _failed(played: Played) -> float:
    return float(sum(one.outcome in (Outcome.FAILED, Outcome.OPEN) for one in played.ended))
