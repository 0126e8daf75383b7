"""Whether the budgets of level 1 have had their chance."""

from __future__ import annotations

from dataclasses import replace

import pytest

from snowshed.streams.control.trial import Trial, failed, tried
from snowshed.streams.policy import ControlPolicy, OverloadPolicy

POLICY, CONTROL = OverloadPolicy(), ControlPolicy()
FRESH = Trial(at=100.0, excess=10.0)


def after(*missing: float) -> Trial:
    held = FRESH
    for second, share in enumerate(missing, 1):
        held = tried(held, 100.0 + second, 10.0 + second, drains=False, missing=share, policy=CONTROL)
    return held


def is_over(trial: Trial, held: float, *, pressed: bool = False, refuses: bool = False) -> bool:
    return failed(trial, held, pressed=pressed, refuses=refuses, policy=POLICY, control=CONTROL)


def test_what_is_asked_beyond_all_bearing_is_shed_after_the_retries_under_way() -> None:
    assert not is_over(FRESH, 1.9, pressed=True)
    assert is_over(FRESH, 2.0, pressed=True)
    assert is_over(FRESH, 0.0, pressed=True, refuses=True)


def test_where_only_the_usual_is_asked_a_loss_is_waited_out_until_it_costs_as_much_as_shedding() -> None:
    assert not is_over(after(*[1.0] * 9), 9.0)
    assert is_over(after(*[1.0] * 10), 10.0)
    assert not is_over(after(*[0.4] * 24), 24.0)
    assert is_over(after(*[0.4] * 26), 26.0)


def test_refusals_alone_do_not_call_for_more() -> None:
    assert not is_over(FRESH, 60.0, refuses=True)


def test_trouble_that_comes_back_when_shedding_is_given_up_is_shed_again_at_once() -> None:
    assert is_over(replace(FRESH, shed=True), 2.0)


@pytest.mark.parametrize("pressed", [True, False])
def test_nothing_more_is_done_while_the_trouble_eases(pressed: bool) -> None:
    lost = replace(after(*[1.0] * 30), shed=True)
    falling = tried(lost, lost.at + 1.0, lost.excess * 0.85, drains=False, missing=1.0, policy=CONTROL)
    assert not is_over(falling, 60.0, pressed=pressed, refuses=True)
    steady = tried(falling, falling.at + 1.0, falling.excess * 0.95, drains=False, missing=1.0, policy=CONTROL)
    assert is_over(steady, 60.0, pressed=pressed, refuses=True)


def test_a_backlog_that_shrinks_eases_before_delays_show_it() -> None:
    assert tried(FRESH, 101.0, 12.0, drains=True, missing=1.0, policy=CONTROL).eases


def test_the_same_window_counts_once_and_a_gap_for_two_seconds() -> None:
    assert tried(FRESH, 100.0, 99.0, drains=False, missing=1.0, policy=CONTROL) is FRESH
    assert tried(FRESH, 160.0, 99.0, drains=False, missing=1.0, policy=CONTROL).lost == 2.0
