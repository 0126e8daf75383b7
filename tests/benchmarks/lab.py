"""The lab's retry storm under every arrangement: real processes on loopback."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tests.benchmarks.lab_runs import attempts_at, back, figure, first_finding, play, success
from tests.benchmarks.report import Figure, Section
from tests.benchmarks.stage import Stage

from snowshed.streams.broker import LocalKafka
from snowshed.streams.lab import SCENARIOS, Kafka, Played

__all__ = ["run"]

_ARRANGEMENTS = ("off", "local", "central", "both")
_STORM = SCENARIOS["retry_storm"]


def run(stage: Stage) -> Section:
    """Every arrangement, the same seeds."""
    seeds = range(1, stage.often(3, 1) + 1)
    with LocalKafka() as own:
        kafka = Kafka(own.bootstrap, own)
        protections = stage.pick(_ARRANGEMENTS, ("off", "both"))
        storms = {protect: play(stage, _STORM, protect, seeds, kafka) for protect in protections}
    return Section(
        "lab",
        f"`snowshed lab run {_STORM.name}`, {_STORM.load.rate:.0f} requests a second, seeds 1 to {seeds[-1]}; "
        "spreads are the least and the greatest; inf is never within the 35 s after the trouble.",
        tuple(_storms(storms)),
    )


def _storms(storms: Mapping[str, Sequence[Played]]) -> Iterator[Figure]:
    for protect, runs in storms.items():
        yield figure(f"{protect}: goodput lost", "s", runs, lambda one: one.verdict().lost)
        yield figure("… back after the trouble's end", "s", runs, back)
        yield figure("… answered in time from the trouble on", "%", runs, success)
        yield figure("… p99 of what was answered", "s", runs, lambda one: one.verdict().p99)
        yield figure("… attempts a request at the server from the trouble on", "", runs, attempts_at("server"))
        if protect in ("central", "both"):
            yield figure("… first finding or decision after the trouble's beginning", "s", runs, first_finding, "≤ 2")
