"""The latency sketch keeps its promise of accuracy however it is split and merged."""

from __future__ import annotations

from math import ceil, floor, inf, isclose, isnan, log, nan

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from snowshed.schemas.sketch import (
    BUCKETS,
    GAMMA,
    LOG_GAMMA,
    MAX_SECONDS,
    MIN_SECONDS,
    RELATIVE_ERROR,
    LatencySketch,
    bounds,
    bucket_of,
    value_of,
)

IN_RANGE = st.floats(MIN_SECONDS, MAX_SECONDS)
ANY = st.floats(0, 10 * MAX_SECONDS)
ROUNDING = 1e-9


def sketch(values: list[float]) -> LatencySketch:
    out = LatencySketch()
    for value in values:
        out.add(value)
    return out


def merged(*parts: LatencySketch) -> LatencySketch:
    out = LatencySketch()
    for part in parts:
        out.merge(part)
    return out


@given(st.lists(IN_RANGE, min_size=1, max_size=60), st.floats(0, 1))
def test_a_quantile_is_within_two_percent_of_the_true_one(values: list[float], q: float) -> None:
    true = sorted(values)[floor(q * (len(values) - 1))]
    assert abs(sketch(values).quantile(q) - true) <= true * (RELATIVE_ERROR + ROUNDING)


@given(IN_RANGE)
def test_a_value_lies_within_the_bounds_of_its_bucket(seconds: float) -> None:
    lower, upper = bounds(bucket_of(seconds))
    assert lower * (1 - ROUNDING) <= seconds <= upper * (1 + ROUNDING)


@given(ANY, ANY)
def test_a_longer_duration_is_never_in_a_lower_bucket(one: float, other: float) -> None:
    assert (bucket_of(one) <= bucket_of(other)) or one > other


@given(ANY)
def test_add_and_bucket_of_agree(seconds: float) -> None:
    assert list(sketch([seconds]).items()) == [(bucket_of(seconds), 1)]


@given(IN_RANGE)
def test_the_stated_formula_gives_the_bucket(seconds: float) -> None:
    """Others compute it over whole columns."""
    exact = log(seconds / MIN_SECONDS) / LOG_GAMMA
    assume(abs(exact - round(exact)) > ROUNDING)
    assert bucket_of(seconds) == min(ceil(exact), BUCKETS - 1)


@pytest.mark.parametrize("bucket", range(BUCKETS))
def test_a_bucket_holds_the_value_that_stands_for_it(bucket: int) -> None:
    assert bucket_of(value_of(bucket)) == bucket


def test_a_value_is_as_far_from_both_bounds_as_the_error_allows() -> None:
    lower, upper = bounds(100)
    assert value_of(100) == pytest.approx(lower * (1 + RELATIVE_ERROR))
    assert value_of(100) == pytest.approx(upper * (1 - RELATIVE_ERROR))
    assert upper / lower == pytest.approx(GAMMA)


@pytest.mark.parametrize(
    ("seconds", "bucket"),
    [(-1.0, 0), (0.0, 0), (MIN_SECONDS, 0), (MAX_SECONDS, BUCKETS - 1), (1e9, BUCKETS - 1), (inf, BUCKETS - 1)],
)
def test_durations_out_of_range_fall_into_the_outermost_buckets(seconds: float, bucket: int) -> None:
    assert bucket_of(seconds) == bucket


def test_the_last_bucket_is_the_one_the_longest_duration_needs() -> None:
    lower, upper = bounds(BUCKETS - 1)
    assert lower < MAX_SECONDS <= upper


def test_no_number_is_no_duration() -> None:
    out = LatencySketch()
    with pytest.raises(ValueError, match="NaN"):
        out.add(nan)
    assert out.count == 0


@given(st.lists(ANY, max_size=30), st.lists(ANY, max_size=30))
def test_merging_two_sketches_is_sketching_all_their_values(one: list[float], other: list[float]) -> None:
    both, whole = merged(sketch(one), sketch(other)), sketch(one + other)
    assert list(both.items()) == list(whole.items())
    assert both.count == whole.count
    assert isclose(both.total, whole.total, abs_tol=1e-9)


@given(st.lists(ANY, max_size=20), st.lists(ANY, max_size=20), st.lists(ANY, max_size=20))
def test_the_order_of_merging_does_not_matter(a: list[float], b: list[float], c: list[float]) -> None:
    one = merged(merged(sketch(a), sketch(b)), sketch(c))
    other = merged(sketch(c), merged(sketch(b), sketch(a)))
    assert list(one.items()) == list(other.items())
    assert one.count == other.count


def test_merging_leaves_the_other_sketch_alone() -> None:
    one, other = sketch([0.1]), sketch([0.2])
    one.merge(other)
    one.add(0.2)
    assert list(other.items()) == [(bucket_of(0.2), 1)]


def test_a_duration_counts_as_often_as_it_is_said_to() -> None:
    out = LatencySketch()
    out.add(0.25, count=4)
    assert (out.count, out.total, list(out.items())) == (4, 1.0, [(bucket_of(0.25), 4)])


def test_nothing_has_no_quantile() -> None:
    assert isnan(LatencySketch().quantile(0.5))


def test_buckets_come_in_ascending_order() -> None:
    assert [bucket for bucket, _ in sketch([9.0, 0.001, 1.0]).items()] == sorted(map(bucket_of, [9.0, 0.001, 1.0]))
