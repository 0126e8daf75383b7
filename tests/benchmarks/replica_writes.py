"""Writes that wait for a replica: a leader's follower that applies less than comes in, and level 2 over both."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import nan
from random import Random
from statistics import fmean, median

from tests.benchmarks.report import Figure, Section
from tests.benchmarks.stage import Stage

from snowshed.consumers.decisions.book import InForce
from snowshed.consumers.decisions.effective import combine
from snowshed.schemas.codec import Codec
from snowshed.schemas.propagation import LOWEST_PRIORITY
from snowshed.schemas.records import Decision, Lag, LagStatus
from snowshed.streams.cascade import DomainFold, DomainState
from snowshed.streams.folding import Batch, Message
from snowshed.streams.policy import parsed

__all__ = ["Follower", "Second", "driven", "run"]

_FIRST_SEED = 101
"""The law was chosen on seeds 1 and 2 of a simpler model."""
_START = 1_700_000_000.0
_TICK = 0.05
_SLO = 5.0
_TRAVEL = 1.0
"""Seconds from a report of level 1 to writers that obey."""
_CUTS = ((0, 0.0), (128, 0.05), (256, 0.30), (384, 0.60), (LOWEST_PRIORITY + 1, 1.0))
"""Share of the writes below each priority: four classes of 5, 25, 30 and 40 %."""
_POLICY = parsed(f'[datasets.orders]\nslo = {_SLO}\nleader = "orders-db"\n').policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Follower:
    """What comes in while the follower applies 1, give or take a fifth."""

    load: float
    calm: float = 0.85
    trouble: tuple[float, float] = (60.0, 240.0)
    seconds: float = 300.0


@dataclass(frozen=True, slots=True)
class Second:
    """One second."""

    at: float
    lag: float
    admitted: float
    lowest: float


@dataclass(slots=True)
class _Log:
    """Writes in their order, and how far they have been applied."""

    times: list[float] = field(default_factory=list[float])
    totals: list[float] = field(default_factory=list[float])
    written: float = 0.0
    applied: float = 0.0

    def write(self, at: float, amount: float) -> None:
        self.written += amount
        self.times.append(at)
        self.totals.append(self.written)

    def lag(self, at: float) -> float:
        """Age of the oldest write that is not applied."""
        if self.applied >= self.written - 1e-9:
            return 0.0
        return at - self.times[bisect_right(self.totals, self.applied)]


class _Level2:
    """The real fold, fed with the interval that level 1 would report, and what writers would obey."""

    def __init__(self) -> None:
        self._fold, self._state = DomainFold(_POLICY), dict[str, DomainState]()
        self._number, self._held = 0, dict[str, Decision]()
        self._on_the_way: list[tuple[float, float]] = []
        self._lowest = float(LOWEST_PRIORITY)

    def lowest(self, at: float) -> float:
        for due, lowest in [one for one in self._on_the_way if one[0] <= at]:
            self._lowest = lowest
            self._on_the_way.remove((due, lowest))
        return self._lowest

    def report(self, at: float, low: float, high: float) -> None:
        self._number += 1
        record = _lag(at, low, high, self._number)
        message = Message(self._number, _START + at, b"default", Codec().encode(record))
        records = self._fold.decode([message]).records
        batch = Batch(0, self._number, self._number + 1, self._number, _START + at, True, 0.0, records)
        step = self._fold.step(self._state, batch)
        for key, value in step.changes.items():
            if value is None:
                self._state.pop(key, None)
            else:
                self._state[key] = value
        for emission in step.emissions:
            if isinstance(emission.record, Decision) and emission.record.scope == "orders-db":
                self._held[emission.record.kind.value] = emission.record
        held = [InForce(one, 1.0, 0.0) for one in self._held.values() if one.active]
        self._on_the_way.append((at + _TRAVEL, combine("orders-db", held, newest=None, stale=False).lowest_priority))


def _lag(at: float, low: float, high: float, number: int) -> Lag:
    return Lag(
        domain="default",
        dataset="orders",
        replica="r1",
        system="model",
        status=LagStatus.BEHIND if low > _SLO else LagStatus.FRESH,
        since=_START + at,
        low=low,
        high=high,
        bytes_behind=nan,
        poll_period=0.25,
        slo=_SLO,
        observed_at=_START + at,
        detector_lag=0.0,
        evidence_offset=number,
        evidence_partition=0,
    )


def driven(scenario: Follower, *, seed: int, fixed: float | None = None) -> Sequence[Second]:
    """The seconds of a run.

    Args:
        scenario: what comes in.
        seed: of the follower's pace and of the intervals that are reported.
        fixed: writes a second that a token bucket admits whatever the lag, instead of level 2.
    """
    random, log, level_2, seconds = Random(seed), _Log(), _Level2(), list[Second]()
    admitted, number = 0.0, 0
    while number * _TICK < scenario.seconds:
        at = number * _TICK
        begun, ended = scenario.trouble
        load = scenario.load if begun <= at < ended else scenario.calm
        lowest = level_2.lowest(at)
        rate = load * _share(lowest + 1.0) if fixed is None else min(load, fixed)
        log.write(at, rate * _TICK)
        log.applied = min(log.written, log.applied + random.uniform(0.8, 1.2) * _TICK)
        admitted += rate * _TICK
        number += 1
        if number % round(1.0 / _TICK) == 0:
            lag = log.lag(at)
            seconds.append(Second(at, lag, admitted, lowest))
            level_2.report(at, max(lag - random.uniform(0.0, 0.3), 0.0), lag + random.uniform(0.1, 0.6))
            admitted = 0.0
    return seconds


def _share(priority: float) -> float:
    for (low, before), (high, after) in pairwise(_CUTS):
        if priority <= high:
            return before + (after - before) * (priority - low) / (high - low)
    return 1.0


def run(stage: Stage) -> Section:
    """A follower at 1.5 and 2 times what it can apply."""
    seeds = range(_FIRST_SEED, _FIRST_SEED + stage.often(5, 1))
    seconds = stage.pick(300.0, 120.0)
    figures: list[Figure] = []
    for load in (1.5, 2.0):
        scenario = Follower(load=load, seconds=seconds, trouble=(30.0, seconds - 60.0))
        for name, fixed in (("level 2", None), ("a bucket of 0.6", 0.6), ("nothing", load)):
            runs = [driven(scenario, seed=seed, fixed=fixed) for seed in seeds]
            figures += _figures(f"{load:g} times, {name}", runs, scenario)
    return Section(
        "replica_writes",
        "A follower that applies 1 a second, ±20 %; four classes of writes in shares of 5, 25, 30 and 40 %; objective "
        f"{_SLO:g} s; the real fold with intervals up to 0.9 s wide once a second, and writers that obey after "
        f"{_TRAVEL:g} s; seeds {seeds[0]} to {seeds[-1]}. The bucket is set for a follower 40 % slower than this one.",
        tuple(figures),
    )


def _figures(name: str, runs: Sequence[Sequence[Second]], scenario: Follower) -> list[Figure]:
    begun, ended = scenario.trouble

    def of(value: Callable[[Sequence[Second]], float]) -> list[float]:
        return [value([one for one in seconds if begun <= one.at < ended]) for seconds in runs]

    measured: Mapping[str, tuple[str, list[float], str]] = {
        "largest lag": ("s", of(lambda seconds: max(one.lag for one in seconds)), f"≤ {_SLO:g}"),
        "largest lag after the first minute": (
            "s",
            of(lambda seconds: max((one.lag for one in seconds if one.at >= begun + 60.0), default=0.0)),
            f"≤ {_SLO:g}",
        ),
        "median lag": ("s", of(lambda seconds: median(one.lag for one in seconds)), ""),
        "time beyond the objective": ("%", of(lambda seconds: 100.0 * fmean(one.lag > _SLO for one in seconds)), "0"),
        "writes admitted": (
            "of the capacity",
            of(lambda seconds: fmean(one.admitted for one in seconds)),
            "",
        ),
    }
    return [Figure.of(f"{name}: {what}", unit, values, goal) for what, (unit, values, goal) in measured.items()]
