"""Whatever is written, fetched and asked in whatever order, a reader never claims to be further than it is."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from math import inf
from typing import Literal

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from snowshed.consumers.following.progress import Partition, Progress

_Entry = Literal["record", "aborted", "marker"]
_News = tuple[Literal["record", "end"], int]


@dataclass
class _Log:
    """A partition with at most one open transaction, and what a client has fetched of it but not handed on."""

    entries: list[_Entry] = field(default_factory=list[_Entry])
    open_since: int | None = None
    readable_at: list[float] = field(default_factory=list[float])
    """For each offset before the last stable one, when it became so."""
    fetched: int = 0
    reported_end: int | None = None
    queue: deque[_News] = field(default_factory=deque[_News])
    applied: set[int] = field(default_factory=set[int])

    @property
    def stable_end(self) -> int:
        return len(self.entries) if self.open_since is None else self.open_since

    def write(self, now: float) -> None:
        self.entries.append("record")
        self._settle(now)

    def begin_or_go_on(self) -> None:
        if self.open_since is None:
            self.open_since = len(self.entries)
        self.entries.append("record")

    def finish(self, now: float, *, commit: bool) -> None:
        """Everything since the beginning belongs to the transaction when it is aborted."""
        if self.open_since is not None and not commit:
            aborted: list[_Entry] = ["aborted"] * (len(self.entries) - self.open_since)
            self.entries[self.open_since :] = aborted
        self.entries.append("marker")
        self.open_since = None
        self._settle(now)

    def _settle(self, now: float) -> None:
        self.readable_at += [now] * (self.stable_end - len(self.readable_at))

    def fetch(self, most: int) -> None:
        until = min(self.stable_end, self.fetched + most)
        if until == self.fetched == self.stable_end != self.reported_end:
            self.reported_end = until
            self.queue.append(("end", until))
        self.queue.extend(("record", at) for at in range(self.fetched, until) if self.entries[at] == "record")
        self.fetched = until

    def unread_since(self) -> float:
        """The first instant at which a committed record existed that has not been applied."""
        unread = (
            since
            for offset, since in enumerate(self.readable_at)
            if self.entries[offset] == "record" and offset not in self.applied
        )
        return min(unread, default=inf)


@dataclass
class _World:
    """Some logs and their reader; every event takes a second."""

    logs: dict[Partition, _Log]
    progress: Progress = field(default_factory=Progress)
    now: float = 0.0

    def listed(self) -> None:
        self.progress.expect(self.logs.keys(), self.now)

    def apply_next(self, partition: Partition) -> None:
        log = self.logs[partition]
        if not log.queue:
            return
        kind, offset = log.queue.popleft()
        if kind == "end":
            self.progress.reached_end(partition, offset)
        else:
            log.applied.add(offset)
            self.progress.read(partition, offset)

    def drain(self, partition: Partition) -> None:
        while self.logs[partition].queue:
            self.apply_next(partition)

    def ask(self, *, written_meanwhile: bool) -> None:
        """The question is under way for a while, and so are its answers."""
        asked_at = self.now
        self.now += 0.25
        if written_meanwhile:
            self.write()
        ends = {partition: log.stable_end for partition, log in self.logs.items()}
        self.now += 0.25
        if written_meanwhile:
            self.write()
        for partition, end in ends.items():
            self.progress.ended_at(partition, end, asked_at)

    def write(self) -> None:
        for log in self.logs.values():
            log.write(self.now)

    def catch_up(self) -> None:
        """Fetches and applies all there is, and hears that it was all."""
        for partition, log in self.logs.items():
            while log.fetched < log.stable_end or log.reported_end != log.stable_end:
                log.fetch(1)
            self.drain(partition)

    def claims_too_much(self) -> bool:
        """Whether something had been committed by the claimed instant that has not been applied."""
        return any(log.unread_since() <= self.progress.current_at() for log in self.logs.values())


_Step = tuple[str, int, int]
_WORLDS = st.integers(1, 2).map(lambda count: _World({("t", number): _Log() for number in range(count)}))
_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["write", "transact", "commit", "abort", "fetch", "apply", "catch up", "ask", "ask busy"]),
        st.integers(0, 1),
        st.integers(1, 3),
    ),
    min_size=10,
    max_size=100,
)


def _take(world: _World, step: _Step) -> None:
    kind, number, count = step
    partition, log = list(world.logs.items())[number % len(world.logs)]
    match kind:
        case "write":
            for _ in range(count):
                log.write(world.now)
        case "transact":
            log.begin_or_go_on()
        case "commit" | "abort":
            log.finish(world.now, commit=kind == "commit")
        case "fetch":
            log.fetch(count)
        case "apply":
            for _ in range(count):
                world.apply_next(partition)
        case "catch up":
            world.catch_up()
        case _:
            world.ask(written_meanwhile=kind == "ask busy")


@settings(max_examples=500)
@given(world=_WORLDS, history=st.integers(0, 2), steps=_STEPS)
def test_no_claim_is_ever_ahead_of_the_truth(world: _World, history: int, steps: list[_Step]) -> None:
    for _ in range(history):
        world.write()
    world.listed()
    claims = set[float]()
    for step in steps:
        world.now += 1
        _take(world, step)
        claims.add(world.progress.current_at())
        assert not world.claims_too_much()
    event(f"different claims: {min(len(claims), 4)}")


@given(world=_WORLDS, steps=_STEPS)
def test_whoever_has_read_everything_knows_it_with_the_next_answer(world: _World, steps: list[_Step]) -> None:
    """Whatever came before, and also while a transaction is open."""
    world.listed()
    for step in steps:
        world.now += 1
        _take(world, step)
    world.catch_up()
    world.now += 1
    asked_at = world.now
    world.ask(written_meanwhile=False)
    assert world.progress.current_at() >= asked_at


def _oldest_claim(*, lag: int, interval: int, transaction: int, seconds: int) -> float:
    """The greatest age of a claim while a record is written every second, each transaction ended by a marker at once.

    The reader applies every record `lag` seconds after it was written, is never told of an end, and asks for the end
    every `interval` seconds.
    """
    progress, log = Progress(), _Log()
    partition = ("t", 0)
    progress.expect({partition}, 0.0)
    written: deque[tuple[int, int]] = deque()
    oldest = 0.0
    for now in range(seconds):
        written.append((now, len(log.entries)))
        log.write(now)
        if now % transaction == 0:
            log.finish(now, commit=True)
        while written and written[0][0] <= now - lag:
            progress.read(partition, written.popleft()[1])
        if now % interval == 0:
            progress.ended_at(partition, log.stable_end, float(now))
        if now > _bound(lag, interval):
            oldest = max(oldest, now - progress.current_at())
    return oldest


def _bound(lag: int, interval: int) -> int:
    """A goal is met by the first record after it; the next is set up to an interval later and has to be met as well."""
    return 2 * (lag + 1) + interval


@given(lag=st.integers(0, 20), interval=st.integers(1, 20), transaction=st.integers(1, 5))
def test_a_partition_that_never_rests_leaves_the_claim_twice_the_lag_behind_at_most(
    lag: int, interval: int, transaction: int
) -> None:
    oldest = _oldest_claim(lag=lag, interval=interval, transaction=transaction, seconds=300)
    assert oldest <= _bound(lag, interval)


@pytest.mark.parametrize(("lag", "interval", "oldest"), [(0, 1, 1), (3, 1, 7), (3, 10, 13)])
def test_the_age_of_a_claim_follows_the_lag_and_the_pace_of_the_questions(lag: int, interval: int, oldest: int) -> None:
    assert _oldest_claim(lag=lag, interval=interval, transaction=1, seconds=300) == oldest
