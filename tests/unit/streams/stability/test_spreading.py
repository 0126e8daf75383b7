"""Retry amplification along paths, the branching index, next victims and vulnerability."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isnan, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowshed.streams.policy import CascadePolicy
from snowshed.streams.stability.amplification import amplification, worst_path
from snowshed.streams.stability.branching import branching, entries, joined
from snowshed.streams.stability.prediction import predicted
from snowshed.streams.stability.vulnerability import Load, vulnerability

CHAIN = [("web", "api"), ("api", "db"), ("api", "cache")]
POLICY = CascadePolicy()


@dataclass
class Window:
    first: float
    attempts: float


def test_a_window_of_retries_alone_carries_the_ratio_of_the_sliding_span() -> None:
    span = [Window(50.0, 100.0), Window(0.0, 100.0)]
    assert amplification(50.0, 100.0, span) == 2.0
    assert amplification(0.0, 100.0, span) == 4.0
    assert amplification(0.0, 3.0, [Window(0.0, 3.0)]) == 3.0


def test_factors_multiply_along_the_worst_path_and_a_cycle_ends() -> None:
    factors = {("client", "web"): 1.0, ("web", "api"): 2.0, ("api", "db"): 3.0, ("api", "cache"): 1.5}
    assert worst_path(factors) == (("web", "api", "db"), 6.0)
    assert worst_path({("a", "b"): 2.0, ("b", "a"): 3.0}).factor in {2.0, 3.0}
    assert worst_path({("a", "b"): 1.0}) == ((), 1.0)


def test_the_branching_index_counts_what_calls_join_to_earlier_trouble() -> None:
    onsets = {"db": 10.0, "api": 13.5, "elsewhere": 13.6}
    assert branching(onsets, CHAIN, 14.0, 2.0) == 1.0
    assert branching({**onsets, "web": 15.5}, CHAIN, 16.0, 2.0) == pytest.approx(1 / 3)
    assert branching(onsets, CHAIN, 10.0, 2.0) == 0.0


@given(st.dictionaries(st.sampled_from("abcdef"), st.floats(0.0, 20.0)), st.floats(0.0, 20.0))
def test_no_more_than_the_newly_anomalous_count(onsets: dict[str, float], now: float) -> None:
    edges = [(one, other) for one in "abc" for other in "def"]
    index = branching(onsets, edges, now, 2.0)
    newly = sum(now - 2.0 < since <= now for since in onsets.values())
    before = sum(since <= now - 2.0 for since in onsets.values())
    assert 0.0 <= index <= newly / max(before, 1)


def test_failing_services_fall_into_groups_and_work_comes_in_where_nobody_calls_the_caller() -> None:
    assert joined(["db", "api", "mail"], CHAIN) == [{"api", "db"}, {"mail"}]
    assert entries(CHAIN) == {("web", "api")}


def test_the_time_left_is_the_way_to_the_limit_over_the_trend() -> None:
    growing = [(float(at), 10.0 + 5.0 * at) for at in range(5)]
    told = predicted("api", growing, 50.0, POLICY)
    assert told is not None
    assert (told.share, told.left) == (0.6, 4.0)
    assert predicted("api", growing, 500.0, POLICY) is None
    assert predicted("api", growing, nan, POLICY) is None
    assert predicted("api", [], 50.0, POLICY) is None


def test_a_caller_near_its_limit_is_told_also_while_nothing_grows() -> None:
    told = predicted("api", [(0.0, 45.0), (1.0, 45.0)], 50.0, POLICY)
    assert told is not None
    assert told.left == inf
    full = predicted("api", [(0.0, 50.0)], 50.0, POLICY)
    assert full is not None
    assert full.left == 0.0


@pytest.mark.parametrize(("retries", "load"), [(4.0, 0.2), (2.0, 1 / 3), (0.2, 1 / 1.2), (0.1, 1 / 1.1)])
def test_a_service_is_capable_of_metastability_above_the_load_of_its_retry_policy(retries: float, load: float) -> None:
    found = vulnerability(Load(rate=100.0 * load, capacity=100.0), retries)
    assert found.low == found.high == pytest.approx(1.0)


def test_the_bounds_say_how_the_load_was_found() -> None:
    reached = vulnerability(Load(rate=50.0, peak=100.0, saturated=True), 1.0)
    assert (reached.low, reached.high) == (1.0, 1.0)
    between = vulnerability(Load(rate=50.0, peak=100.0, cpu=0.2), 1.0)
    assert (between.low, between.high) == (0.4, 1.0)
    assert "upper bound" in between.said
    cpu = vulnerability(Load(rate=50.0, cpu=0.2), 1.0)
    assert cpu.low == 0.4
    assert isnan(cpu.high)
    assert "lower bound" in cpu.said
    assert vulnerability(Load(rate=50.0), 1.0).said == "unknown"
    assert "at most 1.00" in vulnerability(Load(rate=50.0, peak=100.0), 1.0).said
