"""Answers that are kept, and how old they may be."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowshed.consumers import Guard
from snowshed.consumers.around import AsyncStaleCache, Cached, StaleCache
from snowshed.consumers.around.answers import Answer, Answers
from snowshed.consumers.testing import FakeClock, InMemoryView, decision
from snowshed.schemas.errors import ConfigurationError
from snowshed.schemas.records import Consistency, ConsistencyMode, DecisionKind

TTL, BOUND = 5.0, 60.0


class _World:
    """A cache of a callee that counts its calls and can fail; plain or asynchronous."""

    def __init__(self, *, asynchronous: bool = False, **options: Any) -> None:
        self.clock = FakeClock()
        self.view = InMemoryView(self.clock)
        self.guard = Guard("items", view=self.view, clock=self.clock)
        settings: dict[str, Any] = {"ttl": TTL, "bound": BOUND, "clock": self.clock, **options}
        self.cache = StaleCache[int, int](self.guard, **settings)
        self.async_cache = AsyncStaleCache[int, int](self.guard, **settings)
        self.asynchronous = asynchronous
        self.calls = 0
        self.error: Exception | None = None
        self._seq = 0

    def decide(self, kind: DecisionKind, **fields: Any) -> None:
        self._seq += 1
        self.view.apply(decision("items", kind, seq=self._seq, ttl=1e6, **fields))

    def load(self) -> int:
        self.calls += 1
        if self.error is not None:
            raise self.error
        return self.calls

    async def load_async(self) -> int:
        await asyncio.sleep(0)
        return self.load()

    def get(self, key: int = 7) -> Cached[int]:
        if self.asynchronous:
            return asyncio.run(self.async_cache.get(key, self.load_async))
        return self.cache.get(key, self.load)


both = pytest.mark.parametrize("asynchronous", [False, True])


@both
def test_an_answer_is_fresh_for_its_time_and_then_asked_for_anew(asynchronous: bool) -> None:
    world = _World(asynchronous=asynchronous)
    assert world.get() == Cached(1, 0.0, stale=False)
    world.clock.advance(TTL)
    assert world.get() == Cached(1, TTL, stale=False)
    world.clock.advance(0.1)
    assert world.get() == Cached(2, 0.0, stale=False)


@both
def test_from_degrade_level_2_on_the_callee_is_spared_up_to_the_bound(asynchronous: bool) -> None:
    world = _World(asynchronous=asynchronous)
    world.get()
    world.decide(DecisionKind.DEGRADE, degrade_level=2)
    world.clock.advance(BOUND)
    assert world.get() == Cached(1, BOUND, stale=True)
    world.clock.advance(0.1)
    assert world.get() == Cached(2, 0.0, stale=False)


def test_level_1_serves_nothing_stale() -> None:
    world = _World()
    world.get()
    world.decide(DecisionKind.DEGRADE, degrade_level=1)
    world.clock.advance(TTL + 1)
    assert not world.get().stale
    assert world.calls == 2


def test_a_decision_to_serve_stale_answers_has_its_own_bound() -> None:
    world = _World()
    world.get()
    world.decide(DecisionKind.CONSISTENCY, consistency=Consistency(mode=ConsistencyMode.SERVE_STALE, bound=20.0))
    world.clock.advance(20.0)
    assert world.get() == Cached(1, 20.0, stale=True)
    world.clock.advance(0.1)
    assert not world.get().stale


@both
def test_an_old_answer_stands_in_after_the_errors_that_were_named(asynchronous: bool) -> None:
    world = _World(asynchronous=asynchronous, stale_on=(TimeoutError,))
    world.get()
    world.error = TimeoutError()
    world.clock.advance(BOUND)
    assert world.get() == Cached(1, BOUND, stale=True)
    world.clock.advance(0.1)
    with pytest.raises(TimeoutError):
        world.get()


@both
def test_without_being_named_an_error_is_raised(asynchronous: bool) -> None:
    world = _World(asynchronous=asynchronous, stale_on=(ConnectionError,))
    world.get()
    world.error = TimeoutError()
    world.clock.advance(TTL + 1)
    with pytest.raises(TimeoutError):
        world.get()


def test_the_fenced_side_of_a_cut_serves_nothing_stale() -> None:
    world = _World(stale_on=(TimeoutError,))
    world.get()
    world.decide(DecisionKind.DEGRADE, degrade_level=4)
    world.decide(DecisionKind.CONSISTENCY, consistency=Consistency(mode=ConsistencyMode.FENCE))
    world.error = TimeoutError()
    world.clock.advance(TTL + 1)
    with pytest.raises(TimeoutError):
        world.get()


def test_age_counts_from_when_an_answer_was_asked_for() -> None:
    world = _World()

    def slow() -> int:
        world.clock.advance(3.0)
        return 1

    assert world.cache.get(7, slow).age == 3.0
    world.clock.advance(1.0)
    assert world.cache.get(7, slow).age == 4.0


def test_the_least_recently_used_goes_first() -> None:
    world = _World(size=2)
    for key in (1, 2, 1, 3):
        world.get(key)
    assert len(world.cache) == 2
    before = world.calls
    world.get(1)
    assert world.calls == before
    world.get(2)
    assert world.calls == before + 1


def test_threads_that_miss_together_ask_once() -> None:
    world = _World()
    begun, may_end = threading.Event(), threading.Event()

    def slow() -> int:
        begun.set()
        assert may_end.wait(10.0)
        return world.load()

    answers: list[Cached[int]] = []
    threads = [threading.Thread(target=lambda: answers.append(world.cache.get(7, slow))) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert begun.wait(10.0)
    may_end.set()
    for thread in threads:
        thread.join()
    assert {answer.value for answer in answers} == {1}
    assert world.calls == 1


def _write_while_asking(world: _World) -> int:
    world.cache.discard(7)
    return world.load()


async def _write_while_asking_async(world: _World) -> int:
    world.async_cache.discard(7)
    return await world.load_async()


def test_what_was_asked_for_before_a_write_is_not_kept() -> None:
    world = _World()
    world.cache.get(7, lambda: _write_while_asking(world))
    assert len(world.cache) == 0
    assert world.get().value == 2


async def test_what_a_task_asked_for_before_a_write_is_not_kept() -> None:
    world = _World()
    await world.async_cache.get(7, lambda: _write_while_asking_async(world))
    assert len(world.async_cache) == 0


def test_a_failed_question_leaves_nothing_behind() -> None:
    world = _World()
    world.error = ValueError("no such item")
    for _ in range(3):
        with pytest.raises(ValueError, match="no such item"):
            world.get()
    assert len(world.cache) == 0
    assert not world.cache._answers._asked  # pyright: ignore[reportPrivateUsage] what is left over shows nowhere else


@pytest.mark.parametrize("times", [{"ttl": 2.0, "bound": 1.0}, {"ttl": -1.0, "bound": 1.0}])
def test_a_bound_below_the_ttl_is_refused(times: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="cache of items"):
        StaleCache[int, int](Guard("items"), **times)


@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["read", "fail", "wait", "level", "calm"]), st.integers(0, 3), st.floats(0.0, 30.0)),
        max_size=40,
    )
)
def test_no_answer_is_older_than_its_mark_or_than_the_bound(
    steps: list[tuple[str, int, float]],
) -> None:
    """The callee answers with its own time, so an answer shows how old it is."""
    world = _World(stale_on=(TimeoutError,), size=3)

    def ask(error: Exception | None) -> Callable[[], int]:
        def load() -> int:
            if error is not None:
                raise error
            return int(world.clock.now * 1000)

        return load

    for what, key, seconds in steps:
        if what == "wait":
            world.clock.advance(seconds)
        elif what in ("level", "calm"):
            world.decide(DecisionKind.DEGRADE, degrade_level=2 if what == "level" else 0)
        else:
            try:
                answer = world.cache.get(key, ask(TimeoutError() if what == "fail" else None))
            except TimeoutError:
                continue
            age = world.clock.now - answer.value / 1000
            assert age <= answer.age + 0.002
            assert answer.age <= BOUND
            assert answer.stale is (answer.age > TTL)
        assert len(world.cache) <= 3


def test_an_answer_asked_for_anew_is_not_replaced_by_the_older_one() -> None:
    answers = Answers[int, str](10)
    older = answers.asking(7)
    newer = answers.asking(7)
    answers.keep(7, Answer("new", 2.0), newer)
    answers.keep(7, Answer("old", 1.0), older)
    held = answers.get(7)
    assert held is not None
    assert held.value == "new"
