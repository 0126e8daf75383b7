"""B10: Kafka is killed for a minute, two seconds into the lab's retry storm, and the storm with Kafka beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from tests.benchmarks.lab_runs import back, failed, figure, play, success
from tests.benchmarks.report import Figure, Section
from tests.benchmarks.stage import Stage

from snowshed.streams.broker import LocalKafka
from snowshed.streams.lab import SCENARIOS, Kafka, Played, Scenario
from snowshed.streams.lab.scenario import BROKER, Act

__all__ = ["losses", "run"]

_STORM = SCENARIOS["retry_storm"]
_AFTER, _AWAY = 2.0, 60.0
"""Seconds from the trouble's beginning to the broker's end, and until it is started again."""
_REST = 20.0
"""Seconds that are played once it is back."""


def losses() -> tuple[Scenario, Scenario]:
    """The storm with Kafka killed, and as long with Kafka alive."""
    gone = _STORM.trouble[0] + _AFTER
    whole = replace(_STORM, load=replace(_STORM.load, seconds=gone + _AWAY + _REST))
    acts = (Act(gone, BROKER, {"running": False}), Act(gone + _AWAY, BROKER, {"running": True}))
    return replace(whole, name="retry_storm_without_kafka", acts=(*whole.acts, *acts)), whole


def run(stage: Stage) -> Section:
    """Both with the same seeds."""
    seeds = range(1, stage.often(3, 1) + 1)
    with LocalKafka() as own:
        kafka = Kafka(own.bootstrap, own)
        without, whole = (play(stage, one, "both", seeds, kafka) for one in losses())
    return Section(
        "lab_loss",
        f"The lab's retry storm, `both`, {_STORM.load.rate:.0f} requests a second, seeds 1 to {seeds[-1]}; Kafka is "
        f"killed {_AFTER:.0f} s after the trouble's beginning and started again {_AWAY:.0f} s later; "
        "spreads are the least and the greatest.",
        tuple(_compared(without, whole)),
    )


def _compared(without: Sequence[Played], whole: Sequence[Played]) -> Iterator[Figure]:
    ratios = [100 * success(one) / success(other) for one, other in zip(without, whole, strict=True)]
    yield Figure.of("Kafka killed for 60 s: answered in time, against Kafka alive", "%", ratios, "≥ 90")
    yield figure("… requests that failed or hung", "", without, failed, "0")
    for name, runs in (("Kafka killed", without), ("Kafka alive", whole)):
        yield figure(f"{name}: answered in time from the trouble on", "%", runs, success)
        yield figure("… goodput lost", "s", runs, lambda one: one.verdict().lost)
        yield figure("… back after the trouble's end", "s", runs, back)
        yield figure("… p99 of what was answered", "s", runs, lambda one: one.verdict().p99)
