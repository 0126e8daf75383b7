"""The degrade levels: what calls for each, and how it is left."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowshed.streams.control.levels import Ladder, Signs, climbed

CLEAN = (10.0, 20.0, 30.0)
CALM = Signs(overloaded=False, clear=True, may_cut=True, fails=False, starves=False, spreads=False, metastable=False)
BAD = replace(CALM, overloaded=True, clear=False)


def after(held: Ladder, signs: Signs, seconds: int) -> list[int]:
    levels: list[int] = []
    for second in range(1, seconds + 1):
        held = climbed(held, signs, float(second), clean=CLEAN, dwell=10.0)
        levels.append(held.level)
    return levels


@pytest.mark.parametrize(
    ("signs", "level"),
    [
        (CALM, 0),
        (BAD, 1),
        (replace(BAD, fails=True), 2),
        (replace(BAD, starves=True), 3),
        (replace(BAD, spreads=True), 3),
        (replace(BAD, metastable=True), 4),
        (replace(BAD, fails=True, spreads=True, may_cut=False), 1),
    ],
    ids=[
        "calm",
        "overloaded",
        "budgets are not enough",
        "what is left fails too",
        "a cascade's trigger",
        "metastable",
        "a victim",
    ],
)
def test_each_sign_calls_for_its_level(signs: Signs, level: int) -> None:
    assert after(Ladder(), signs, 1) == [level]


def test_levels_are_left_one_at_a_time_each_after_its_clean_time() -> None:
    levels = after(Ladder(3, 0.0), CALM, 70)
    left = [second for second, (one, other) in enumerate(pairwise(levels), 2) if one != other]
    assert left == [31, 51, 61]


def test_a_level_is_held_for_the_dwell_however_clean_it_is() -> None:
    held = Ladder(1, 5.0, clean_since=-100.0)
    assert climbed(held, CALM, 14.9, clean=CLEAN, dwell=10.0).level == 1
    assert climbed(held, CALM, 15.0, clean=CLEAN, dwell=10.0).level == 0


def test_the_fourth_level_is_not_left_by_being_clean() -> None:
    assert set(after(Ladder(4, 0.0), CALM, 500)) == {4}


def test_a_declared_cascade_keeps_its_trigger_from_going_down() -> None:
    assert set(after(Ladder(3, 0.0), replace(CALM, spreads=True), 500)) == {3}


@given(st.lists(st.builds(Signs, **dict.fromkeys(Signs.__dataclass_fields__, st.booleans())), max_size=80))
def test_no_sequence_of_signs_lets_a_level_fall_early_or_by_two(script: list[Signs]) -> None:
    held = Ladder()
    for second, signs in enumerate(script, 1):
        new = climbed(held, signs, float(second), clean=CLEAN, dwell=10.0)
        if new.level < held.level:
            assert new.level == held.level - 1
            assert second >= held.entered + 10.0
        held = new
