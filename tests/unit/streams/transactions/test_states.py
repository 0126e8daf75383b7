"""The lane's life is a table that leads somewhere from everywhere."""

from __future__ import annotations

import pytest

from snowshed.streams.transactions.states import TRANSITIONS, LaneEvent, LaneState, next_state

ENDS = {LaneState.RELEASED, LaneState.FAILED}


def reachable(start: LaneState) -> set[LaneState]:
    found, waiting = {start}, [start]
    while waiting:
        for after in TRANSITIONS[waiting.pop()].values():
            if after not in found:
                found.add(after)
                waiting.append(after)
    return found


def test_every_state_has_a_row() -> None:
    assert set(TRANSITIONS) == set(LaneState)


def test_every_state_is_reached_from_the_claim() -> None:
    assert reachable(LaneState.CLAIMED) == set(LaneState)


@pytest.mark.parametrize("state", set(LaneState) - ENDS)
def test_every_living_state_can_fail_and_can_be_released(state: LaneState) -> None:
    assert reachable(state) >= ENDS


@pytest.mark.parametrize("state", ENDS)
def test_nothing_follows_an_end(state: LaneState) -> None:
    with pytest.raises(KeyError):
        next_state(state, LaneEvent.STARTED)


def test_a_lane_restores_only_after_it_has_fenced() -> None:
    assert [before for before, row in TRANSITIONS.items() if LaneState.RESTORING in row.values()] == [LaneState.FENCING]
