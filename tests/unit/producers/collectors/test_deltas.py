from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowshed.producers.collectors.statements.deltas import Counters, Snapshot, StatementKey, deltas, rank

_KEYS = st.builds(StatementKey, st.sampled_from(["shop", "billing"]), st.integers(-3, 3))
_GROWTH = st.dictionaries(_KEYS, st.builds(Counters, st.integers(0, 1000), st.integers(0, 1000).map(float)))
_SELECT, _UPDATE = StatementKey("shop", 1), StatementKey("shop", 2)


def _snapshot(
    counters: dict[StatementKey, Counters], *, reset_at: float | None = 1.0, partial: bool = False
) -> Snapshot:
    return Snapshot(wall=0.0, monotonic=0.0, reset_at=reset_at, counters=counters, partial=partial)


def _plus(counters: dict[StatementKey, Counters], growth: dict[StatementKey, Counters]) -> dict[StatementKey, Counters]:
    sums = dict(counters)
    for key, added in growth.items():
        old = sums.get(key, Counters(0, 0.0))
        sums[key] = Counters(old.calls + added.calls, old.seconds + added.seconds)
    return sums


@given(_GROWTH, _GROWTH)
def test_what_was_added_is_what_is_reported(
    start: dict[StatementKey, Counters], growth: dict[StatementKey, Counters]
) -> None:
    grown = deltas(_snapshot(start), _snapshot(_plus(start, growth)))
    assert grown == {key: added for key, added in growth.items() if added.calls}


@given(_GROWTH, _GROWTH)
def test_after_a_reset_of_all_counters_everything_counted_is_new(
    start: dict[StatementKey, Counters], since: dict[StatementKey, Counters]
) -> None:
    grown = deltas(_snapshot(start, reset_at=1.0), _snapshot(since, reset_at=2.0))
    assert grown == {key: added for key, added in since.items() if added.calls}


@pytest.mark.parametrize("now", [Counters(3, 40.0), Counters(30, 4.0), Counters(3, 4.0)])
def test_a_counter_that_went_down_started_again_at_zero(now: Counters) -> None:
    before = _snapshot({_SELECT: Counters(10, 20.0), _UPDATE: Counters(5, 5.0)})
    after = _snapshot({_SELECT: now, _UPDATE: Counters(6, 5.5)})
    assert deltas(before, after) == {_SELECT: now, _UPDATE: Counters(1, 0.5)}


@given(_GROWTH, _GROWTH)
def test_no_delta_is_ever_negative(before: dict[StatementKey, Counters], after: dict[StatementKey, Counters]) -> None:
    assert all(calls > 0 and seconds >= 0 for calls, seconds in deltas(_snapshot(before), _snapshot(after)).values())


def test_a_forgotten_statement_is_not_reported_and_counts_again_when_it_returns() -> None:
    seen, gone = _snapshot({_SELECT: Counters(10, 1.0)}), _snapshot({})
    assert deltas(seen, gone) == {}
    assert deltas(gone, seen) == {_SELECT: Counters(10, 1.0)}


def test_statements_that_came_into_sight_by_a_new_privilege_are_not_taken_for_new_calls() -> None:
    before = _snapshot({_SELECT: Counters(10, 1.0)}, partial=True)
    after = _snapshot({_SELECT: Counters(11, 1.5), _UPDATE: Counters(1_000_000, 900.0)})
    assert deltas(before, after) == {_SELECT: Counters(1, 0.5)}


@given(_GROWTH, st.sets(st.integers(-3, 3)), st.integers(0, 5))
def test_a_ranking_splits_all_wanted_statements_by_time(
    grown: dict[StatementKey, Counters], without: set[int], limit: int
) -> None:
    top, rest = rank(grown, without=without, limit=limit)
    assert dict([*top, *rest]) == {key: delta for key, delta in grown.items() if key.queryid not in without}
    assert len(top) == min(limit, len(top) + len(rest))
    assert min((d.seconds for _, d in top), default=0) >= max((d.seconds for _, d in rest), default=0) or not top


def test_a_ranking_does_not_depend_on_the_order_of_the_counters() -> None:
    grown = {StatementKey("shop", queryid): Counters(1, 1.0) for queryid in range(4)}
    backwards = dict(reversed(grown.items()))
    assert rank(grown, without=(), limit=2) == rank(backwards, without=(), limit=2)
