"""Quorum what-ifs against published and closed-form values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snowshed.streams.lag.delays import PROFILES, SSD, Legs, Measured, ParetoExponential
from snowshed.streams.lag.staleness import Quorum, stale_by_versions, what_if

_FIT = ParetoExponential(0.9, 1e-3, 3.0, 20.0)


@pytest.mark.parametrize(
    ("profile", "at_commit", "visible", "tolerance"),
    [("ssd", 0.97, 2.0e-3, 0.05), ("disk", 0.44, 50e-3, 0.08), ("yammer", 0.89, 1.46, 0.05)],
)
def test_the_reference_profiles_give_the_reference_figures(
    profile: str, at_commit: float, visible: float, tolerance: float
) -> None:
    outcome = what_if(PROFILES[profile], Quorum(3, 1, 1), np.random.default_rng(1), 400_000)
    assert outcome.fresh(0.0) == pytest.approx(at_commit, abs=0.01)
    assert outcome.visible(0.999) == pytest.approx(visible, rel=tolerance)


@pytest.mark.parametrize(("versions", "within"), [(3, 0.70), (5, 0.87), (10, 0.98)])
def test_few_versions_are_missed_by_a_partial_quorum(versions: int, within: float) -> None:
    assert 1 - stale_by_versions(Quorum(3, 1, 1), versions) == pytest.approx(within, abs=0.005)


@settings(max_examples=20)
@given(st.integers(1, 5), st.data())
def test_overlapping_quorums_are_always_fresh(replicas: int, data: st.DataObject) -> None:
    write = data.draw(st.integers(1, replicas))
    read = data.draw(st.integers(replicas - write + 1, replicas))
    quorum = Quorum(replicas, read, write)
    outcome = what_if(Legs(_FIT, _FIT, _FIT, _FIT), quorum, np.random.default_rng(2), 500)
    assert outcome.fresh(0.0) == 1.0
    assert outcome.visible(0.999) == 0.0
    assert stale_by_versions(quorum, 1) == 0.0


def test_waiting_for_more_replicas_is_fresher_and_slower() -> None:
    outcomes = [
        what_if(PROFILES["yammer"], Quorum(3, read, write), np.random.default_rng(3), 50_000)
        for read, write in ((1, 1), (2, 1), (2, 2))
    ]
    fresh = [outcome.fresh(0.0) for outcome in outcomes]
    assert fresh == sorted(fresh)
    assert np.median(outcomes[0].read_latency) < np.median(outcomes[1].read_latency)
    assert np.median(outcomes[1].write_latency) < np.median(outcomes[2].write_latency)


def test_measured_delays_stand_in_for_a_fit() -> None:
    generator = np.random.default_rng(4)
    sample = Measured(SSD.write.draw(generator, (50_000, 1)).ravel())
    mine = what_if(Legs(sample, sample, sample, sample), Quorum(3, 1, 1), generator, 200_000)
    assert mine.fresh(0.0) == pytest.approx(0.97, abs=0.01)
    assert mine.visible(0.999) == pytest.approx(2.0e-3, rel=0.1)


@pytest.mark.parametrize(("read", "write"), [(0, 1), (4, 1), (1, 0), (1, 4)])
def test_a_quorum_larger_than_the_store_is_refused(read: int, write: int) -> None:
    with pytest.raises(ValueError, match="between 1 and N"):
        Quorum(3, read, write)
