"""How long partitions stand still when a worker dies, is stopped, or is replaced by a new release."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from tests.benchmarks.crew import Crew, Pair, Supervised, await_that
from tests.benchmarks.flow import Feed, Journal, faults, longest_gap
from tests.benchmarks.report import Figure, Section
from tests.benchmarks.stage import Stage
from tests.chaos.reading import ends

from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.topics import Topics
from snowshed.streams.broker import LocalKafka
from snowshed.streams.provision import provision

__all__ = ["run"]

_RUNS = 30
_ROLLS = 10
_RATE = 200
_PARTITIONS = 4
_LIVES = 6
"""Deaths under one supervisor: with each it waits longer before it starts a worker again."""

_UNTOUCHED = {
    "broker.session.timeout.ms": "9000",
    "broker.heartbeat.interval.ms": "2000",
    "group.initial.rebalance.delay.ms": "3000",
    "group.min.session.timeout.ms": "6000",
    "group.consumer.min.session.timeout.ms": "45000",
    "group.consumer.session.timeout.ms": "45000",
    "group.consumer.min.heartbeat.interval.ms": "5000",
    "group.consumer.heartbeat.interval.ms": "5000",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "10000",
}
"""Apache Kafka's own defaults for what our broker sets lower."""


@dataclass(frozen=True, slots=True)
class _Site:
    """A broker's name and settings, and what is aimed at on it."""

    name: str
    extra: Mapping[str, str]
    kill_goal: str


_SITES = (
    _Site("untouched broker", _UNTOUCHED, ""),
    _Site("recommended settings", {}, "median ≤ 4, max ≤ 6"),
)


def run(stage: Stage) -> Section:
    """Kill, stop and roll on both brokers."""
    figures = [figure for site in _SITES for figure in _at(stage, site)]
    return Section(
        "takeover",
        f"Two `snowshed worker` processes with all agents, {_PARTITIONS} partitions a topic, {_RATE} heartbeats/s, one "
        "Apache Kafka node as a child process. A takeover is from the signal until a reader of committed records has, "
        "of every heartbeats partition of the struck worker, a batch of its successor with a record that was appended "
        "after the signal. The untouched broker has Kafka's default group settings; the other one those of "
        "docs/operations.md. The group protocol is the worker's own choice.",
        tuple(figures),
    )


class _Bench:
    """One broker with a steady flow through it."""

    def __init__(self, stage: Stage, site: _Site, stack: ExitStack, broker: LocalKafka) -> None:
        self.stage = stage
        self.connection = KafkaConnection(broker.bootstrap)
        self.topics = Topics(stage.unique("takeover"), partitions=_PARTITIONS, replication=1)
        self._folder = stage.folder / f"takeover-{site.name.split()[0]}"
        self._folder.mkdir()
        provision(self.connection, self.topics)
        self.journal = stack.enter_context(Journal(self.connection, self.topics))
        self.feed = stack.enter_context(Feed(self.connection, self.topics, _RATE))
        self._random = random.Random(site.name)

    @property
    def environment(self) -> dict[str, str]:
        """The workers'."""
        return {
            "SNOWSHED_BOOTSTRAP": self.connection.bootstrap,
            "SNOWSHED_PREFIX": self.topics.prefix,
            "SNOWSHED_APP": self.topics.prefix,
            "SNOWSHED_PARTITIONS": str(_PARTITIONS),
            "SNOWSHED_WEB_PORT": "0",
            "SNOWSHED_LOG_FORMAT": "json",
        }

    def pair(self) -> Pair:
        """Two workers by themselves."""
        return Pair(self.environment, self._folder, _PARTITIONS)

    def supervised(self, number: int) -> Supervised:
        """Two workers under a new supervisor."""
        return Supervised(self.environment, self._folder, _PARTITIONS, f"supervisor-{number}")

    def input_ends(self) -> list[int]:
        """Where the input's partitions end now."""
        topic = self.topics.full("heartbeats")
        found = ends(self.connection, [topic], stable=False)
        return [found[topic, partition] for partition in range(_PARTITIONS)]

    def struck(self, crew: Crew, number: signal.Signals) -> float:
        """Seconds that a takeover took, from a signal at a random moment of a calm group."""
        crew.settle()
        time.sleep(self._random.uniform(0.0, 1.0))
        holders = crew.holders()
        victim = holders[self._random.randrange(_PARTITIONS)]
        moved = [partition for partition, pid in holders.items() if pid == victim]
        moment = time.time()
        os.kill(victim, number)
        appended = self.input_ends()
        found = [self._taken_over(crew, partition, moment, appended[partition]) for partition in moved]
        await_that(lambda: victim not in crew.alive(), "the struck worker has ended")
        crew.mend()
        return max(found) - moment

    def _taken_over(self, crew: Crew, partition: int, moment: float, end: int) -> float:
        seen: list[float] = []

        def taken() -> bool:
            opened = [one.at for one in crew.openings() if one.partition == partition and one.at > moment]
            if opened:
                later = self.journal.since(opened[0])
                seen[:] = [batch.seen for batch in later if batch.partition == partition and batch.next > end]
            return bool(seen)

        await_that(taken, f"partition {partition} is taken over")
        return seen[0]

    def rolled(self, crew: Supervised) -> float:
        """The longest time without a batch of some partition while workers are restarted one by one."""
        crew.settle()
        moment = time.time()
        crew.roll()
        crew.settle()
        return longest_gap(self.journal.since(moment))

    def faults(self) -> int:
        """Stop the flow; how many of its records were not folded exactly once."""
        self.feed.stop()
        end = self.input_ends()
        await_that(lambda: self._reached() >= sum(end), "everything is folded")
        return faults(self.journal.since(), end)

    def _reached(self) -> int:
        return sum({batch.partition: batch.next for batch in self.journal.since()}.values())


def _at(stage: Stage, site: _Site) -> list[Figure]:
    runs = stage.often(_RUNS, 2)
    kills: list[float] = []
    stops: list[float] = []
    with LocalKafka(extra=site.extra, progress=stage.tell) as broker, ExitStack() as stack:
        bench = _Bench(stage, site, stack, broker)
        with bench.pair() as pair:
            for number in range(runs):
                kills.append(bench.struck(pair, signal.SIGKILL))
                stops.append(bench.struck(pair, signal.SIGTERM))
                stage.tell(f"{site.name} {number + 1}: kill {kills[-1]:.2f} s, stop {stops[-1]:.2f} s")
        supervised = _supervised_kills(bench, runs)
        with bench.supervised(runs) as crew:
            gaps = [bench.rolled(crew) for _ in range(stage.often(_ROLLS, 1))]
            wrong = bench.faults()
    return [
        Figure.of(f"{site.name}: kill -9", "s", kills, site.kill_goal),
        Figure.of(f"{site.name}: kill -9 under a supervisor", "s", supervised, "≤ 1"),
        Figure.of(f"{site.name}: SIGTERM", "s", stops, "≤ 1"),
        Figure.of(f"{site.name}: rolling restart, longest pause of a partition", "s", gaps),
        Figure.of(f"{site.name}: records not folded exactly once in all of it", "records", [wrong], "0"),
    ]


def _supervised_kills(bench: _Bench, runs: int) -> list[float]:
    found: list[float] = []
    for first in range(0, runs, _LIVES):
        with bench.supervised(first) as crew:
            for _ in range(min(_LIVES, runs - first)):
                found.append(bench.struck(crew, signal.SIGKILL))
                bench.stage.tell(f"supervised kill {len(found)}: {found[-1]:.2f} s")
    return found
