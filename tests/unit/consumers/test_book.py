"""Which decisions hold, and how strongly."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowshed.consumers.decisions.book import DecisionBook, InForce
from snowshed.consumers.testing import decision
from snowshed.schemas.records import Consistency, ConsistencyMode, Decision, DecisionKind

_ALWAYS = inf


def _decided(
    epoch: int = 1, seq: int = 1, *, active: bool = True, kind: DecisionKind = DecisionKind.RETRY, scope: str = "orders"
) -> Decision:
    name = f"{epoch}.{seq}"
    return decision(scope, kind, epoch=epoch, seq=seq, active=active, retry_budget=seq / 100, decision_id=name)


def _strength(book: DecisionBook, now: float, current_at: float = _ALWAYS) -> float:
    held = book.in_force("orders", now, current_at)
    return held[0].strength if held else 0.0


def test_a_decision_holds_for_its_ttl_then_fades_over_one_more() -> None:
    book = DecisionBook().apply(_decided(), now=100.0)
    times = (100.0, 110.0, 112.5, 115.0, 120.0, 500.0)
    assert [_strength(book, now) for now in times] == [1.0, 1.0, 0.75, 0.5, 0.0, 0.0]


def test_the_age_at_arrival_counts_against_the_ttl() -> None:
    book = DecisionBook().apply(_decided(), now=100.0, age=8.0)
    assert _strength(book, 102.0) == 1.0
    assert _strength(book, 107.0) == 0.5
    assert _strength(DecisionBook().apply(_decided(), now=100.0, age=60.0), 100.0) == 0.0


def test_a_reader_that_fell_behind_for_a_ttl_lets_everything_fade() -> None:
    book = DecisionBook().apply(_decided(), now=100.0)
    assert _strength(book, 105.0, current_at=94.0) == pytest.approx(0.9)
    assert _strength(book, 105.0, current_at=-inf) == 0.0


def test_lifting_fades_from_the_lift_and_never_strengthens() -> None:
    lifted = DecisionBook().apply(_decided(seq=1), now=100.0).apply(_decided(seq=2, active=False), now=104.0)
    assert [_strength(lifted, now) for now in (104.0, 109.0, 114.0)] == [1.0, 0.5, 0.0]
    late = DecisionBook().apply(_decided(seq=1), now=100.0).apply(_decided(seq=2, active=False), now=118.0)
    assert _strength(late, 118.0) == pytest.approx(0.2)
    again = lifted.apply(_decided(seq=3, active=False), now=110.0)
    assert _strength(again, 110.0) == pytest.approx(0.4), "a repeated lift does not start over"


def test_a_renewal_starts_the_ttl_again() -> None:
    book = DecisionBook().apply(_decided(seq=1), now=100.0).apply(_decided(seq=2), now=114.0)
    assert _strength(book, 124.0) == 1.0


def test_lower_and_equal_orders_change_nothing() -> None:
    book = DecisionBook().apply(_decided(epoch=2, seq=5), now=100.0)
    for epoch, seq in ((2, 5), (2, 4), (1, 99)):
        assert book.apply(_decided(epoch=epoch, seq=seq), now=101.0) is book
    assert book.apply(_decided(epoch=3, seq=1), now=101.0).newest("orders") == (3, 1)


def test_a_lift_without_a_decision_holds_nothing_but_outranks_older_ones() -> None:
    book = DecisionBook().apply(_decided(seq=2, active=False), now=100.0)
    assert book.apply(_decided(seq=1), now=100.0) is book
    assert book.in_force("orders", 100.0, _ALWAYS) == ()


def test_a_fence_ends_only_by_a_higher_decision() -> None:
    fence = decision("ledger", DecisionKind.CONSISTENCY, consistency=Consistency(mode=ConsistencyMode.FENCE))
    book = DecisionBook().apply(fence, now=100.0)
    assert book.in_force("ledger", 1e6, -inf)[0].strength == 1.0
    assert book.apply(replace(fence, seq=2, active=False), now=101.0).in_force("ledger", 101.0, _ALWAYS) == ()


def test_a_decision_without_a_ttl_is_over_at_once() -> None:
    book = DecisionBook().apply(replace(_decided(), ttl=0.0), now=100.0)
    assert _strength(book, 100.1) == 0.0


def _unlifted(book: DecisionBook, scope: str) -> list[InForce]:
    held = book.in_force(scope, 100.0, _ALWAYS)
    return [one for one in held if book.entries[scope][one.decision.kind].lifted_at is None]


_STREAM = st.lists(
    st.builds(
        _decided,
        epoch=st.integers(1, 3),
        seq=st.integers(1, 6),
        active=st.booleans(),
        kind=st.sampled_from((DecisionKind.RETRY, DecisionKind.RATE)),
        scope=st.sampled_from(("orders", "users")),
    ),
    max_size=20,
    unique_by=lambda one: (one.epoch, one.seq, one.kind, one.scope),
)


@given(stream=_STREAM, data=st.data())
def test_reordering_and_duplication_end_in_the_same_book(stream: list[Decision], data: st.DataObject) -> None:
    """The same decision is the newest word on each key, and acts alike once the lifts have faded."""
    repeated = data.draw(st.lists(st.sampled_from(stream), max_size=10)) if stream else []
    shuffled = data.draw(st.permutations(stream + repeated))
    one, other = DecisionBook(), DecisionBook()
    for each in stream:
        one = one.apply(each, now=100.0)
    for each in shuffled:
        other = other.apply(each, now=100.0)
    for scope in ("orders", "users"):
        assert one.newest(scope) == other.newest(scope)
        newest = [{k: e.decision for k, e in book.entries.get(scope, {}).items()} for book in (one, other)]
        assert newest[0] == newest[1]
        assert _unlifted(one, scope) == _unlifted(other, scope)
        assert one.in_force(scope, 120.0, _ALWAYS) == other.in_force(scope, 120.0, _ALWAYS) == ()


@given(
    lift=st.none() | st.floats(0, 40),
    current=st.floats(-20, 40),
    times=st.lists(st.floats(0, 60), min_size=2),
)
def test_without_news_strength_only_falls(lift: float | None, current: float, times: list[float]) -> None:
    book = DecisionBook().apply(_decided(seq=1), now=0.0)
    if lift is not None:
        book = book.apply(_decided(seq=2, active=False), now=lift)
    strengths = [_strength(book, now, current) for now in sorted(times) if lift is None or now >= lift]
    assert strengths == sorted(strengths, reverse=True)
    assert all(0.0 <= strength <= 1.0 for strength in strengths)
