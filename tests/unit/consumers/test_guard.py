"""The Guard with a clock that stands still."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from snowshed.consumers import Brake, Guard, GuardEvent, Outcome, Permit
from snowshed.consumers.brakes.retry_budget import FLOOR, FLOOR_RATE
from snowshed.consumers.testing import FakeClock, InMemoryView, decision, in_memory_view, set_decisions
from snowshed.schemas.errors import Rejected
from snowshed.schemas.propagation import CallContext, Criticality, use_context
from snowshed.schemas.records import DecisionKind, DecisionMode, PriorityFloor


class _World:
    """A guard, its view, its clock and what it reported."""

    def __init__(self, *decisions: dict[str, Any], draw: float = 0.5) -> None:
        self.clock = FakeClock()
        self.view: InMemoryView = in_memory_view(clock=self.clock)
        self.events: list[GuardEvent] = []
        self.guard = Guard("orders", view=self.view, clock=self.clock, rng=lambda: draw, on_event=self.events.append)
        self._seq = 0
        for fields in decisions:
            self.decide(**fields)

    def decide(self, kind: DecisionKind = DecisionKind.RATE, **fields: Any) -> None:
        self._seq += 1
        self.view.apply(decision("orders", kind, seq=self._seq, decision_id=f"d{self._seq}", **fields))

    def admits(self, calls: int, **call: Any) -> int:
        admitted = 0
        for _ in range(calls):
            answer = self.guard.try_admit(**call)
            if isinstance(answer, Permit):
                answer.succeeded()
                admitted += 1
        return admitted

    def traffic(self, rate: int, seconds: int) -> int:
        """Offers calls evenly for some seconds."""
        admitted = 0
        for _ in range(rate * seconds):
            admitted += self.admits(1)
            self.clock.advance(1 / rate)
        return admitted


def test_without_decisions_first_attempts_always_pass() -> None:
    assert _World().admits(10_000) == 10_000
    assert isinstance(Guard("orders").admit("read"), Permit)


def test_without_decisions_retries_are_a_tenth_of_first_attempts() -> None:
    world = _World()
    retried = 0
    for _ in range(100):
        for _ in range(10):
            world.admits(10)
            retried += world.admits(10, attempt=1)
            world.clock.advance(0.1)
    assert 1000 <= retried <= 1000 + FLOOR + FLOOR_RATE * 100
    assert world.guard.stats.rejected[Brake.RETRY] == 10_000 - retried


def test_a_scheduled_retry_is_charged_once() -> None:
    world = _World()
    assert [world.guard.retry_allowed() for _ in range(4)] == [True, True, True, False]
    assert world.admits(4, attempt=1) == 3


def test_the_multiplier_acts_on_the_rate_from_before_and_does_not_ratchet() -> None:
    """A limit that followed the admitted rate would shrink it again at every renewal."""
    world = _World()
    world.traffic(100, 30)
    admitted: list[int] = []
    for _ in range(4):
        world.decide(rate_multiplier=0.4)
        admitted.append(world.traffic(100, 5))
    assert admitted[-1] == pytest.approx(200, abs=5)
    assert world.guard.stats.baseline == pytest.approx(100, rel=0.02)


def test_a_new_process_takes_the_fallback() -> None:
    world = _World({"rate_multiplier": 0.5, "per_instance_fallback": 10.0, "absolute_cap": 1000.0})
    assert world.traffic(100, 10) == pytest.approx(100, abs=10)


def test_an_expired_rate_decision_opens_by_degrees() -> None:
    world = _World()
    world.traffic(100, 30)
    world.decide(rate_multiplier=0.2, ttl=10.0)
    admitted = [world.traffic(100, 5) for _ in range(5)]
    assert admitted[0] == pytest.approx(100, abs=18), "with its burst, and what an ordinary call gets on credit"
    assert admitted[1] == pytest.approx(100, abs=2)
    assert admitted[2] == pytest.approx(200, abs=16)
    assert admitted[3] == pytest.approx(420, abs=16)
    assert admitted[4] == pytest.approx(500, abs=1)


def test_a_level_refuses_classes_and_says_by_which_decision() -> None:
    world = _World({"kind": DecisionKind.DEGRADE, "degrade_level": 3})
    assert world.admits(5, criticality=Criticality.CRITICAL) == 5
    with pytest.raises(Rejected, match="degrade level 3") as caught:
        world.guard("report", criticality=Criticality.SHEDDABLE_PLUS)
    assert caught.value.decision_id == "d1"
    assert caught.value.scope == "orders"
    assert caught.value.retry_after > 0
    event = world.events[-1]
    assert (event.operation, event.criticality, event.refusal.brake, event.enforced) == (
        "report",
        Criticality.SHEDDABLE_PLUS,
        Brake.DEGRADE,
        True,
    )
    assert world.guard.effective.degrade_level == 3


def test_what_is_too_much_for_a_rate_is_refused_from_the_lowest_class_on() -> None:
    """As in a spike of the lowest: three in four of these are too many, and no other class notices."""
    world = _World({"per_instance_fallback": 20.0, "ttl": 1000.0})
    asked, made = Counter[Criticality](), Counter[Criticality]()
    for second in range(400):
        for call in range(50):
            world.clock.advance(0.02)
            level = Criticality.SHEDDABLE if call % 5 else Criticality((second + call) % 3)
            asked[level] += 1
            made[level] += world.admits(1, criticality=level, cohort=(7 * call + second) % 128)
    assert [made[level] / asked[level] > 0.99 for level in Criticality] == [True, True, True, False]
    assert made.total() == pytest.approx(400 * 20, rel=0.01), "what is left of the rate is used up"


def test_a_breaker_refuses_its_share() -> None:
    assert _World({"p_reject": 0.6}, draw=0.59).admits(1) == 0
    assert _World({"p_reject": 0.6}, draw=0.6).admits(1) == 1


def test_attempts_beyond_the_cap_are_refused_and_not_scheduled() -> None:
    world = _World({"attempt_cap": 2, "retry_budget": 0.1})
    world.admits(1000)
    assert world.admits(1, attempt=1) == 1
    assert world.admits(1, attempt=2) == 0
    assert not world.guard.retry_allowed(2)
    assert world.guard.stats.rejected == {Brake.ATTEMPTS: 2}


def test_a_decided_budget_of_nothing_ends_retries() -> None:
    world = _World({"kind": DecisionKind.RETRY, "retry_budget": 0.0})
    world.traffic(100, 2)
    assert not world.guard.retry_allowed()
    assert world.admits(10, attempt=1) == 0


def test_class_cohort_and_attempt_are_inherited() -> None:
    floor = PriorityFloor(level=Criticality.SHEDDABLE_PLUS, cohort=127)
    world = _World({"kind": DecisionKind.DEGRADE, "degrade_level": 2, "priority_floor": floor})
    with use_context(CallContext(criticality=Criticality.SHEDDABLE)):
        assert world.admits(1) == 0
        assert world.admits(1, criticality=Criticality.CRITICAL) == 1
    with use_context(CallContext(attempt=1)):
        assert world.admits(10) == 1


def test_exempt_calls_are_never_refused() -> None:
    world = _World({"p_reject": 1.0, "degrade_level": 4, "per_instance_fallback": 0.0})
    assert world.admits(10) == 0
    assert world.admits(100, exempt=True) == 100


def test_shadow_decisions_count_and_refuse_nothing() -> None:
    world = _World({"p_reject": 1.0, "mode": DecisionMode.SHADOW})
    assert world.admits(7, criticality=Criticality.SHEDDABLE) == 7
    stats = world.guard.stats
    assert stats.would_have_rejected == {Criticality.SHEDDABLE: 7}
    assert stats.rejected == {}
    assert [event.enforced for event in world.events] == [False] * 7
    world.decide(active=False)
    world.clock.advance(10.1)
    assert world.admits(1) == 1
    assert len(world.events) == 7


def test_a_call_refused_by_another_brake_uses_up_no_rate() -> None:
    world = _World({"per_instance_fallback": 2.0}, {"kind": DecisionKind.DEGRADE, "degrade_level": 4})
    assert world.admits(50) == 0
    assert world.admits(50, criticality=Criticality.CRITICAL_PLUS, cohort=127) == 1 + 3, "the burst, and on credit"


def _fail(error: BaseException) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (TimeoutError(), Outcome.DROPPED),
        (asyncio.CancelledError(), Outcome.DROPPED),
        (ValueError(), Outcome.IGNORED),
    ],
)
def test_exceptions_map_to_outcomes(error: BaseException, outcome: Outcome) -> None:
    guard = Guard("orders")
    with pytest.raises(type(error)), guard("read"):
        _fail(error)()
    assert guard.stats.outcomes == {outcome: 1}
    assert guard.stats.in_flight == 0


def test_the_first_outcome_counts() -> None:
    guard = Guard("orders")
    with guard("read") as permit:
        assert guard.stats.in_flight == 1
        permit.dropped()
        permit.succeeded()
    guard.admit().ignored()
    assert guard.stats.outcomes == {Outcome.DROPPED: 1, Outcome.IGNORED: 1}


async def test_async_calls_are_guarded_too() -> None:
    guard = Guard("orders")
    async with guard("read"):
        assert guard.stats.in_flight == 1

    @guard.protect
    async def answer(number: int) -> int:
        await asyncio.sleep(0)
        assert guard.stats.in_flight == 1
        return number

    assert await answer(42) == 42
    assert guard.stats.outcomes == {Outcome.SUCCEEDED: 2}


def test_a_protected_function_keeps_its_name_and_is_refused() -> None:
    guard = Guard("orders")

    @guard.protect
    def answer(number: int) -> int:
        """The answer."""
        return number

    assert answer.__doc__ == "The answer."
    with set_decisions(guard, decision("orders", DecisionKind.BREAKER, p_reject=1.0)), pytest.raises(Rejected):
        answer(42)
    assert answer(42) == 42


def test_callers_refused_together_are_told_different_times() -> None:
    times = {_World({"p_reject": 1.0}, draw=draw).guard.try_admit() for draw in (0.0, 0.5, 0.9)}
    assert sorted(round(refusal.retry_after, 2) for refusal in times if not isinstance(refusal, Permit)) == [
        0.75,
        1.0,
        1.2,
    ]


def test_the_last_refusal_is_explained() -> None:
    world = _World({"p_reject": 1.0})
    world.admits(1)
    assert world.guard.stats.last_explanation == "the breaker refuses 100% of calls"
    assert world.guard.stats.effective.newest == (1, 1)


def test_sixteen_threads_lose_no_count() -> None:
    guard = Guard("orders", view=in_memory_view(decision("orders", DecisionKind.BREAKER, p_reject=0.3)))
    calls, threads = 2_000, 16
    refused = [0] * threads
    barrier = threading.Barrier(threads)

    def hammer(index: int) -> None:
        barrier.wait()
        for _ in range(calls):
            try:
                with guard("read"):
                    pass
            except Rejected:
                refused[index] += 1

    workers = [threading.Thread(target=hammer, args=(index,)) for index in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    stats = guard.stats
    assert stats.rejected == {Brake.BREAKER: sum(refused)}
    assert stats.admitted == calls * threads - sum(refused)
    assert stats.outcomes == {Outcome.SUCCEEDED: stats.admitted}
    assert stats.in_flight == 0
