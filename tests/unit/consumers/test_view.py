"""The view: ages, contact, explanations."""

from __future__ import annotations

from dataclasses import replace
from math import inf

from snowshed.consumers import DecisionView, Delivery
from snowshed.consumers.testing import FakeClock, decision, in_memory_view
from snowshed.schemas.records import DecisionKind, DecisionMode, Notice

_BREAKER = decision("orders", DecisionKind.BREAKER, p_reject=0.5, reason="orders-db is slow", decision_id="d1")


def test_before_the_first_catch_up_there_are_no_decisions() -> None:
    view = DecisionView(lambda: -inf, clock=FakeClock(), wall=lambda: _BREAKER.issued_at)
    view.apply(_BREAKER)
    assert view.for_scope("orders").decisions == ()


def test_decisions_from_before_this_process_listened_are_as_old_as_they_say() -> None:
    clock, current = FakeClock(100.0), -inf
    view = DecisionView(lambda: current, clock=clock, wall=lambda: _BREAKER.issued_at + 4.0)
    view.apply(_BREAKER)
    current = clock()
    assert view.for_scope("orders").age == 4.0
    clock.advance(6.0)
    current = clock()
    assert view.for_scope("orders").p_reject == 0.5
    clock.advance(5.0)
    current = clock()
    assert view.for_scope("orders").p_reject == 0.25


def test_a_wrong_wall_clock_does_not_age_what_has_just_arrived() -> None:
    clock = FakeClock(100.0)
    view = DecisionView(lambda: clock() - 0.2, clock=clock, wall=lambda: _BREAKER.issued_at + 3600.0)
    view.apply(_BREAKER)
    assert view.for_scope("orders").p_reject == 0.5
    behind = DecisionView(clock, clock=clock, wall=lambda: _BREAKER.issued_at - 3600.0)
    behind.apply(_BREAKER)
    assert behind.for_scope("orders").age == 0.0


def test_losing_contact_lets_decisions_fade_and_is_shown() -> None:
    clock = FakeClock()
    view = in_memory_view(_BREAKER, clock=clock)
    view.lose_contact()
    clock.advance(15.0)
    effective = view.for_scope("orders")
    assert (effective.stale, effective.p_reject) == (True, 0.25)
    clock.advance(5.0)
    assert view.for_scope("orders").decisions == ()
    view.regain_contact()
    assert not view.for_scope("orders").stale


def test_a_caller_also_obeys_decisions_about_its_edge() -> None:
    edge = decision("shop>orders", DecisionKind.BREAKER, p_reject=0.9, seq=7)
    view = in_memory_view(_BREAKER, edge)
    assert view.for_scope("orders").p_reject == 0.5
    assert view.for_scope("orders", caller="shop").p_reject == 0.9
    assert view.for_scope("orders", caller="shop").newest == (1, 7)
    assert view.for_scope("users", caller="shop").decisions == ()


def test_tombstones_and_other_records_change_nothing() -> None:
    view = in_memory_view(_BREAKER)
    book = view.book
    notice = Notice(notice_id="n", incident_id="i", domain="d", severity="info", title="t", text="x", issued_at=0.0)
    for record in (None, notice):
        view.deliver(Delivery("snowshed.decisions", 0, 0, 0.0, "orders|breaker", record))
    assert view.book is book
    view.deliver(Delivery("snowshed.decisions", 0, 1, 0.0, "orders|breaker", replace(_BREAKER, seq=2, p_reject=0.1)))
    assert view.for_scope("orders").p_reject == 0.1


def test_an_explanation_names_the_decision_its_reason_and_what_is_left() -> None:
    clock = FakeClock()
    shadow = decision("orders", DecisionKind.RATE, mode=DecisionMode.SHADOW, rate_multiplier=0.5, decision_id="d2")
    view = in_memory_view(_BREAKER, shadow, clock=clock)
    clock.advance(15.0)
    view.lose_contact()
    second, first = view.explain("orders").splitlines()
    for part in ("orders rate (shadow", "[d2]"):
        assert part in first
    for part in ("orders breaker (enforce, 1.1, 15.0 s old", "50% left", "orders-db is slow", "[d1]"):
        assert part in second
    assert view.explain("users") == "no decision is in force for users"
    clock.advance(20.0)
    assert "control plane" in view.explain("orders")
