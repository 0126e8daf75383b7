"""What decisions add up to."""

from __future__ import annotations

from itertools import pairwise
from math import inf, nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowshed.consumers.brakes import priority
from snowshed.consumers.decisions.book import InForce
from snowshed.consumers.decisions.effective import Effective, combine
from snowshed.consumers.testing import decision
from snowshed.schemas.propagation import LOWEST_PRIORITY, Criticality
from snowshed.schemas.records import Consistency, ConsistencyMode, DecisionKind, DecisionMode, PriorityFloor


def _held(strength: float = 1.0, *, age: float = 1.0, **fields: Any) -> InForce:
    return InForce(decision("orders", DecisionKind.RATE, **fields), strength, age)


def _combined(*held: InForce) -> Effective:
    return combine("orders", held, newest=(1, 1), stale=False)


def test_nothing_in_force_means_local_brakes_only() -> None:
    assert _combined() == Effective(scope="orders", newest=(1, 1))
    assert _combined().rate_limit(100.0) == inf


def test_the_multiplier_applies_to_the_rate_from_before_the_incident() -> None:
    effective = _combined(_held(rate_multiplier=0.4, absolute_cap=1000.0, per_instance_fallback=7.0))
    assert effective.rate_limit(50.0) == 20.0
    assert effective.rate_limit(10_000.0) == 1000.0, "one process never gets more than the fleet"


def test_a_process_that_knows_no_share_takes_the_fallback_or_local_brakes_only() -> None:
    assert _combined(_held(rate_multiplier=0.4, absolute_cap=1000.0, per_instance_fallback=7.0)).rate_limit(None) == 7.0
    assert _combined(_held(rate_multiplier=0.4, absolute_cap=1000.0)).rate_limit(None) == inf


@pytest.mark.parametrize(
    ("multiplier", "limits"),
    [
        (0.1, [10, 32.5, 55, 77.5, 1000]),  # in a line to the rate from before
        (0.4, [40, 55, 80, 160, 4000]),  # and beyond it, to no limit at all
        (1.0, [100, 400 / 3, 200, 400, 10_000]),
    ],
)
def test_a_fading_limit_rises_to_the_rate_from_before_and_beyond(multiplier: float, limits: list[float]) -> None:
    strengths = (1.0, 0.75, 0.5, 0.25, 0.01)
    seen = [_combined(_held(s, rate_multiplier=multiplier)).rate_limit(100.0) for s in strengths]
    assert seen == pytest.approx(limits)


def test_fading_settings_move_in_a_line_to_what_holds_without_them() -> None:
    half = _combined(_held(0.5, retry_budget=0.02, p_reject=0.8, attempt_cap=2, timeout=1.0, degrade_level=3))
    assert half.retry_budget == 0.05, "degrade level 2 caps the 6 % that the fading budget alone would leave"
    assert half.retry_floor == 0.5
    assert half.p_reject == 0.4
    assert half.attempt_cap == 4
    assert half.timeout == 2.0
    assert half.degrade_level == 2
    assert _combined(_held(0.5, retry_budget=0.02)).retry_budget == pytest.approx(0.06)


def test_several_decisions_combine_to_the_strictest_of_each() -> None:
    effective = _combined(
        _held(retry_budget=0.05, p_reject=0.1, degrade_level=1, age=9.0, per_instance_fallback=5.0),
        _held(retry_budget=0.01, p_reject=0.3, degrade_level=2, age=4.0, per_instance_fallback=50.0),
    )
    assert (effective.retry_budget, effective.p_reject, effective.degrade_level) == (0.01, 0.3, 2)
    assert effective.age == 4.0
    assert effective.rate_limit(None) == 5.0
    assert len(set(effective.decision_ids)) == 2


def test_levels_and_floors_set_the_lowest_priority() -> None:
    assert _combined(_held(degrade_level=0)).lowest_priority == LOWEST_PRIORITY
    assert _combined(_held(degrade_level=2)).lowest_priority == LOWEST_PRIORITY
    assert _combined(_held(degrade_level=3)).lowest_priority == priority(Criticality.CRITICAL, 127)
    assert _combined(_held(degrade_level=4)).lowest_priority == priority(Criticality.CRITICAL_PLUS, 127)
    floor = PriorityFloor(level=1, cohort=64)
    assert _combined(_held(priority_floor=floor)).lowest_priority == priority(1, 64)
    assert priority(1, 64) < _combined(_held(0.5, priority_floor=floor)).lowest_priority < LOWEST_PRIORITY
    assert _combined(_held(degrade_level=4, priority_floor=floor)).lowest_priority == priority(0, 127)


def test_shadow_decisions_are_kept_apart() -> None:
    effective = _combined(_held(p_reject=1.0, mode=DecisionMode.SHADOW), _held(degrade_level=1))
    assert effective.p_reject == 0.0
    assert effective.shadow is not None
    assert (effective.shadow.p_reject, effective.shadow.degrade_level) == (1.0, 0)


def test_consistency_comes_from_decisions_about_consistency() -> None:
    wanted = Consistency(mode=ConsistencyMode.PREFER, avoid=("r1",))
    held = InForce(decision("ds", DecisionKind.CONSISTENCY, consistency=wanted), 0.3, 1.0)
    assert _combined(held).consistency == wanted
    assert _combined(_held(p_reject=0.1), held).consistency == wanted


def test_features_are_off_by_name_while_any_decision_says_so() -> None:
    effective = _combined(
        _held(degrade_level=2, features_off=("search.suggestions",)), _held(degrade_level=3, features_off=("recent",))
    )
    assert not effective.feature("search.suggestions")
    assert not effective.feature("recent")
    assert effective.feature("checkout")


def test_nonsense_in_a_decision_moves_no_brake() -> None:
    effective = _combined(_held(p_reject=nan, retry_budget=nan, timeout=nan, rate_multiplier=nan))
    assert (effective.p_reject, effective.retry_budget, effective.timeout) == (0.0, 0.1, None)
    assert effective.rate_limit(10.0) == inf
    assert _combined(_held(p_reject=-3.0)).p_reject == 0.0
    assert _combined(_held(p_reject=7.0)).p_reject == 1.0
    assert _combined(_held(per_instance_fallback=-1.0)).rate_limit(None) == inf
    assert _combined(_held(rate_multiplier=inf, absolute_cap=9.0)).rate_limit(0.0) == inf, "no number, and no limit"


@given(
    strengths=st.lists(st.floats(0.01, 1), min_size=2, max_size=6),
    multiplier=st.floats(0, 1),
    budget=st.floats(0, 0.1),
    level=st.integers(0, 4),
)
def test_a_weaker_decision_is_never_stricter(
    strengths: list[float], multiplier: float, budget: float, level: int
) -> None:
    settings = [
        _combined(_held(s, rate_multiplier=multiplier, retry_budget=budget, degrade_level=level, p_reject=multiplier))
        for s in sorted(strengths, reverse=True)
    ]
    for stronger, weaker in pairwise(settings):
        assert weaker.rate_limit(80.0) >= stronger.rate_limit(80.0) - 1e-9
        assert weaker.retry_budget >= stronger.retry_budget - 1e-12
        assert weaker.degrade_level <= stronger.degrade_level
        assert weaker.lowest_priority >= stronger.lowest_priority
        assert weaker.p_reject <= stronger.p_reject
