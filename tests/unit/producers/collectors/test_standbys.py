from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from snowshed.producers.collectors.postgres.standbys import Change, changes

_STATES = st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["streaming", "catchup", "startup"]))


def test_a_standby_that_comes_goes_or_changes_is_told() -> None:
    before = {"gone": "streaming", "same": "streaming", "slow": "streaming"}
    after = {"new": "startup", "same": "streaming", "slow": "catchup"}
    assert changes(before, after) == (
        Change("gone", "streaming", ""),
        Change("new", "", "startup"),
        Change("slow", "streaming", "catchup"),
    )


@given(_STATES, _STATES)
def test_applying_the_changes_to_the_old_states_gives_the_new_ones(
    before: dict[str, str], after: dict[str, str]
) -> None:
    applied = before | {change.standby: change.after for change in changes(before, after)}
    assert {standby: state for standby, state in applied.items() if state} == after
