"""All local brakes together, in a Guard: their order, what a refusal costs, and threads and tasks that share them."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snowshed.consumers import Brake, Guard, GuardEvent, LocalBrakes, LocalStats, Outcome, Permit, Refusal
from snowshed.consumers.brakes import (
    BulkheadOptions,
    CircuitOptions,
    ConcurrencyLimitOptions,
    LeakyBucketOptions,
    TenantsOptions,
    ThrottleOptions,
)
from snowshed.consumers.testing import (
    decision,
    force_refusal,
    hand_clocked_guard,
    in_memory_view,
    set_decisions,
)
from snowshed.schemas.errors import Rejected
from snowshed.schemas.propagation import Criticality
from snowshed.schemas.records import DecisionKind

_ALL = LocalBrakes(
    circuit=CircuitOptions(in_a_row=1),
    bulkhead=BulkheadOptions(operations={"full": 1}),
    tenants=TenantsOptions(),
    limit=ConcurrencyLimitOptions(),
    throttle=ThrottleOptions(),
    pace=LeakyBucketOptions(rate=1.0, depth=5.0),
)


_DECIDED: dict[Brake, tuple[DecisionKind, dict[str, Any]]] = {
    Brake.DEGRADE: (DecisionKind.DEGRADE, {"degrade_level": 4}),
    Brake.BREAKER: (DecisionKind.BREAKER, {"p_reject": 1.0}),
    Brake.ATTEMPTS: (DecisionKind.CONSISTENCY, {"attempt_cap": 1}),
    Brake.RETRY: (DecisionKind.RETRY, {"retry_budget": 0.0}),
    Brake.RATE: (DecisionKind.RATE, {"per_instance_fallback": 0.0}),
}


def _crowd(tenants: Any) -> None:
    for tenant in ["greedy"] * 9 + ["modest", "quiet"]:
        tenants.admitted(tenant)
    tenants.is_overloaded = True


_PROVOKED: dict[Brake, Callable[[Any], object]] = {
    Brake.QUEUE: lambda controls: setattr(controls.local._queue, "cursor", 0),
    Brake.CIRCUIT: lambda controls: controls.local._circuit.ended(0, 0.0, 1e3, lambda: 1.0, failed=True),
    Brake.BULKHEAD: lambda controls: controls.local._flight._bulkhead.admitted("full", 0),
    Brake.TENANT: lambda controls: _crowd(controls.local._flight._tenants),
    Brake.LIMIT: lambda controls: setattr(controls.local._flight._limit, "limit", 0.0),
    Brake.THROTTLE: lambda controls: setattr(controls.local._flight._throttle, "probability", 1.0),
    Brake.PACE: lambda controls: [controls.brakes._pace.add() for _ in range(5)],
}


def _refused_by(*brakes: Brake) -> Brake | None:
    """The brake that refuses a call which all of these would refuse."""
    guard, clock = hand_clocked_guard("orders", local=_ALL)
    decided = [_DECIDED[brake] for brake in brakes if brake in _DECIDED]
    guard.view = in_memory_view(*(decision("orders", kind, **fields) for kind, fields in decided), clock=clock)
    assert len(guard.effective.decisions) == len(decided)
    for brake in brakes:
        _PROVOKED.get(brake, repr)(guard.controls)
    late = clock() - 1.0 if Brake.DEADLINE in brakes else None
    answer = guard.try_admit("full", attempt=1, tenant="greedy", deadline=late)
    return answer.brake if isinstance(answer, Refusal) else None


@pytest.mark.parametrize("position", range(len(Brake)))
def test_the_first_brake_in_their_order_refuses(position: int) -> None:
    order = list(Brake)
    assert _refused_by(*order[position:]) is order[position]
    assert _refused_by(order[position]) is order[position]


def test_what_no_brake_refuses_is_admitted() -> None:
    assert _refused_by() is None


@pytest.mark.parametrize("brake", list(Brake))
def test_a_test_can_force_a_refusal_by_any_brake(brake: Brake) -> None:
    events: list[GuardEvent] = []
    guard, clock = hand_clocked_guard("orders", local=_ALL, on_event=events.append)
    before = guard("read")
    with force_refusal(guard, brake, retry_after=3.0):
        with pytest.raises(Rejected, match="for a test") as caught:
            guard("read")
        exempt = guard.try_admit("health", exempt=True)
        assert isinstance(exempt, Permit)
        clock.advance(1.0)
        before.succeeded()
    assert caught.value.retry_after == 3.0
    assert [event.refusal.brake for event in events] == [brake]
    assert guard.stats.in_flight == 1
    guard("read").succeeded()
    with pytest.raises(AttributeError):
        events[0].scope = "another"  # type: ignore[misc]


def test_a_refused_call_uses_up_no_token_of_another_brake() -> None:
    local = LocalBrakes(
        pace=LeakyBucketOptions(rate=1.0),
        bulkhead=BulkheadOptions(each_operation=1),
        limit=ConcurrencyLimitOptions(start=2),
    )
    guard, clock = hand_clocked_guard("orders", local=local)
    with set_decisions(guard, decision("orders", DecisionKind.RATE, per_instance_fallback=2.0)):
        first = guard("read")
        clock.advance(1.0)
        answers = [guard.try_admit("read", attempt=1) for _ in range(50)]
        assert {answer.brake for answer in answers if isinstance(answer, Refusal)} == {Brake.BULKHEAD}
        second = guard.try_admit("write", attempt=1)
        assert isinstance(second, Permit), "pace, rate and budget are all there"
        refused = guard.try_admit("other")
        assert isinstance(refused, Refusal)
        assert refused.brake is Brake.LIMIT
        first.succeeded()
        paced = [guard.try_admit("read", attempt=1) for _ in range(10)]
        assert {answer.brake for answer in paced if isinstance(answer, Refusal)} == {Brake.PACE}
        assert [guard.retry_allowed() for _ in range(3)] == [True, True, False], "one of three was sent"


def test_by_default_only_deadlines_and_reported_delays_refuse() -> None:
    guard, clock = hand_clocked_guard("orders")
    permits = [guard("read") for _ in range(5000)]
    clock.advance(1.0)
    for permit in permits:
        permit.dropped()
    clock.advance(1.0)
    assert isinstance(guard.try_admit("read"), Permit)
    assert guard.stats.rejected == {}


def test_the_presets_switch_on_what_they_say() -> None:
    callers, services, off = LocalBrakes.for_callers(), LocalBrakes.for_services(), LocalBrakes.off()
    assert callers.callee_cursor
    assert callers.limit
    assert not callers.circuit
    assert not callers.throttle
    assert not callers.tenants
    assert services.limit
    assert services.tenants
    assert not services.circuit
    assert Guard("orders", local=off).stats.local == LocalStats()


def test_under_shedding_a_tenant_is_held_to_its_share() -> None:
    guard, clock = hand_clocked_guard("orders", local=LocalBrakes(tenants=TenantsOptions()))
    held = [
        guard("read", tenant=tenant, criticality=Criticality.CRITICAL_PLUS, queued_for=1.0)
        for tenant in ["greedy"] * 20 + ["modest", "quiet"]
    ]
    for cohort in range(128):
        guard("read", criticality=Criticality.SHEDDABLE, cohort=cohort)
    clock.advance(1.0)
    answer = guard.try_admit("read", tenant="greedy", criticality=Criticality.CRITICAL_PLUS)
    assert isinstance(answer, Refusal)
    assert answer.brake is Brake.TENANT
    assert isinstance(guard.try_admit("read", tenant="modest", cohort=0, criticality=Criticality.CRITICAL_PLUS), Permit)
    assert guard.stats.in_flight == len(held)


_SMALL = LocalBrakes(
    bulkhead=BulkheadOptions(each_operation=3),
    limit=ConcurrencyLimitOptions(start=5),
    circuit=CircuitOptions(in_a_row=4),
    throttle=ThrottleOptions(fewest=5),
    tenants=TenantsOptions(),
    pace=LeakyBucketOptions(rate=50.0, depth=3.0),
)
_STEP = st.tuples(
    st.sampled_from(["call", "retry", "low", "late", "succeeded", "failed", "dropped", "refused", "ignored"]),
    st.sampled_from(["", "a", "b"]),
    st.sampled_from([0.0, 0.01, 0.3, 3.0]),
)


@settings(max_examples=30)
@given(steps=st.lists(_STEP, max_size=150))
def test_whatever_happens_the_counts_agree_and_idle_time_opens_all(steps: list[tuple[str, str, float]]) -> None:
    guard, clock = hand_clocked_guard("orders", local=_SMALL)
    running: list[Permit] = []
    admitted = refused = ended = 0
    has_lower = False
    for what, name, later in steps:
        if what in {"call", "retry", "low", "late"}:
            answer = guard.try_admit(
                name,
                tenant=name,
                attempt=int(what == "retry"),
                criticality=Criticality.SHEDDABLE if what == "low" else Criticality.CRITICAL,
                deadline=clock() + 0.1 if what == "late" else None,
                queued_for=later,
            )
            if isinstance(answer, Permit):
                running.append(answer)
                admitted += 1
            else:
                refused += 1
        elif running:
            getattr(running.pop(), what)()
            ended += 1
        clock.advance(later)
        stats = guard.stats
        assert (stats.admitted, stats.in_flight) == (admitted, admitted - ended)
        assert sum(stats.rejected.values()) == refused
        has_lower = has_lower or what == "low"
        assert stats.in_flight <= (5 * 1.25 if has_lower else 5), "a quarter more where a lower class calls too"
    for permit in running:
        permit.succeeded()
    for _ in range(500):
        clock.advance(1.0)
        answer = guard.try_admit("x", criticality=Criticality.CRITICAL)
        if isinstance(answer, Permit):
            answer.succeeded()
    assert isinstance(guard.try_admit("x", criticality=Criticality.SHEDDABLE, cohort=127), Permit)


_SHARED = LocalBrakes(
    bulkhead=BulkheadOptions(operations={"slow": 4}),
    limit=ConcurrencyLimitOptions(start=12, largest=12),
    throttle=ThrottleOptions(),
    circuit=CircuitOptions(),
    tenants=TenantsOptions(),
)


def test_sixteen_threads_never_exceed_a_bound_and_lose_no_count() -> None:
    guard = Guard("orders", local=_SHARED)
    lock = threading.Lock()
    running: Counter[str] = Counter()
    most: Counter[str] = Counter()
    barrier = threading.Barrier(16)

    def hammer(number: int) -> None:
        operation = "slow" if number % 2 else "quick"
        barrier.wait()
        for _ in range(300):
            answer = guard.try_admit(operation, tenant=operation)
            if isinstance(answer, Refusal):
                continue
            with lock:
                running[operation] += 1
                most[operation] = max(most[operation], running[operation])
            with lock:
                running[operation] -= 1
            answer.succeeded()

    threads = [threading.Thread(target=hammer, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stats = guard.stats
    assert most["slow"] <= 4
    assert most.total() <= 24
    assert stats.admitted + sum(stats.rejected.values()) == 16 * 300
    assert (stats.in_flight, stats.outcomes) == (0, {Outcome.SUCCEEDED: stats.admitted})
    assert set(stats.rejected) <= {Brake.BULKHEAD, Brake.LIMIT, Brake.TENANT}


async def test_tasks_share_the_brakes_too() -> None:
    guard = Guard("orders", local=_SHARED)
    most = 0

    async def call() -> None:
        nonlocal most
        answer = guard.try_admit("slow")
        if isinstance(answer, Permit):
            async with answer:
                most = max(most, guard.stats.in_flight)
                await asyncio.sleep(0)

    await asyncio.gather(*(call() for _ in range(100)))
    assert most == 4
    assert guard.stats.rejected == {Brake.BULKHEAD: 96}
    assert guard.stats.in_flight == 0
