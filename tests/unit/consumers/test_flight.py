"""The bulkhead, the tenant cap, the leaky bucket and the sampled sketch."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowshed.consumers.brakes import (
    Bulkhead,
    BulkheadOptions,
    LeakyBucket,
    LeakyBucketOptions,
    Tenants,
    TenantsOptions,
)
from snowshed.consumers.brakes.sampling import SampledSketch
from snowshed.schemas.propagation import Criticality


def _fill(bulkhead: Bulkhead, operation: str, criticality: Criticality, tries: int) -> int:
    admitted = 0
    for _ in range(tries):
        if not bulkhead.refuses(operation, criticality):
            bulkhead.admitted(operation, criticality)
            admitted += 1
    return admitted


def test_an_operation_and_a_class_have_so_many_places() -> None:
    bulkhead = Bulkhead(BulkheadOptions(operations={"report": 2}, each_operation=5, classes={Criticality.SHEDDABLE: 3}))
    assert _fill(bulkhead, "report", Criticality.CRITICAL, 10) == 2
    assert _fill(bulkhead, "read", Criticality.SHEDDABLE, 10) == 3
    assert _fill(bulkhead, "read", Criticality.CRITICAL, 10) == 2
    bulkhead.ended("report", Criticality.CRITICAL)
    assert _fill(bulkhead, "report", Criticality.CRITICAL, 10) == 1


def test_what_is_not_named_is_not_bounded() -> None:
    assert _fill(Bulkhead(BulkheadOptions()), "read", Criticality.CRITICAL, 1000) == 1000


def test_operations_without_calls_are_forgotten() -> None:
    bulkhead: Any = Bulkhead(BulkheadOptions(each_operation=1))
    for number in range(1000):
        bulkhead.admitted(f"GET /orders/{number}", 1)
        bulkhead.ended(f"GET /orders/{number}", 1)
    assert not bulkhead._by_operation


_CALLS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3), st.booleans()), max_size=200)


@given(calls=_CALLS, each=st.integers(0, 5), low=st.integers(0, 5))
def test_a_bulkhead_never_lets_more_in_than_it_has_places(
    calls: list[tuple[str, int, bool]], each: int, low: int
) -> None:
    bulkhead = Bulkhead(BulkheadOptions(each_operation=each, classes={Criticality.SHEDDABLE: low}))
    running: list[tuple[str, int]] = []
    for operation, criticality, ends in calls:
        if ends and running:
            bulkhead.ended(*running.pop())
        elif not bulkhead.refuses(operation, criticality):
            bulkhead.admitted(operation, criticality)
            running.append((operation, criticality))
        assert all(sum(name == one for name, _ in running) <= each for one in "abc")
        assert sum(level == Criticality.SHEDDABLE for _, level in running) <= low


def test_under_overload_a_tenant_has_at_most_twice_its_share() -> None:
    tenants = Tenants(TenantsOptions())
    for tenant in ["greedy"] * 100 + ["a", "b", "c"]:
        assert not tenants.refuses(tenant)
        tenants.admitted(tenant)
    tenants.is_overloaded = True
    assert tenants.refuses("greedy")
    assert not tenants.refuses("a")
    assert not tenants.refuses("new")
    assert not tenants.refuses(""), "a call of nobody is not bounded"
    for _ in range(60):
        tenants.ended("greedy")
    assert not Tenants(TenantsOptions()).refuses("greedy")


def test_a_tenant_alone_is_not_bounded() -> None:
    tenants = Tenants(TenantsOptions())
    tenants.is_overloaded = True
    for _ in range(100):
        assert not tenants.refuses("only")
        tenants.admitted("only")


@given(calls=st.lists(st.tuples(st.sampled_from(["", "a", "b", "c", "d"]), st.booleans()), max_size=200))
def test_somebody_is_always_admitted_and_nobody_is_forgotten(calls: list[tuple[str, bool]]) -> None:
    tenants: Any = Tenants(TenantsOptions())
    tenants.is_overloaded = True
    running: list[str] = []
    for tenant, ends in calls:
        if ends and running:
            tenants.ended(running.pop())
        elif not tenants.refuses(tenant):
            tenants.admitted(tenant)
            running.append(tenant)
        assert not all(tenants.refuses(one) for one in "abcd")
        named = [one for one in running if one]
        assert (tenants._total, set(tenants._in_flight)) == (len(named), set(named))


def test_calls_come_at_even_distances() -> None:
    bucket = LeakyBucket(LeakyBucketOptions(rate=10.0), 0.0)
    times: list[float] = []
    for step in range(100):
        now = step / 100
        if not bucket.wait(now):
            bucket.add()
            times.append(now)
    assert times == pytest.approx([n / 10 for n in range(10)])
    assert bucket.wait(0.99) == pytest.approx(0.01)


@given(rate=st.floats(0.1, 1000), depth=st.floats(1, 20), steps=st.lists(st.floats(0, 2), max_size=200))
def test_over_any_time_a_leaky_bucket_takes_at_most_its_depth_and_what_leaks(
    rate: float, depth: float, steps: list[float]
) -> None:
    bucket = LeakyBucket(LeakyBucketOptions(rate=rate, depth=depth), 0.0)
    now, taken = 0.0, 0
    for step in steps:
        now += step
        for _ in range(3):
            wait = bucket.wait(now)
            if not wait:
                bucket.add()
                taken += 1
            assert 0.0 <= wait <= 1 / rate + 1e-9
        assert taken <= depth + rate * now + 1e-6


def test_a_busy_sketch_measures_some_calls_and_counts_all() -> None:
    sketch = SampledSketch()
    for number in range(100_000):
        sketch.add(0.001 if number % 2 else 0.1)
    sketch.renew()
    for number in range(100_000):
        sketch.add(0.001 if number % 2 else 0.1)
    assert sketch.count == 100_000
    measured = sketch.renew()
    assert 500 <= measured.count <= 520
    assert measured.quantile(0.99) == pytest.approx(0.1, rel=0.03)
