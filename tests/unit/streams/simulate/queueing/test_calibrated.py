"""The four published outcomes of a MongoDB server (OSDI 2022); the benchmark runs them with twenty seeds."""

from __future__ import annotations

import pytest

from snowshed.streams.simulate.queueing import calibrated


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(
    ("utilisation", "factor", "trouble", "outcome"),
    [
        (0.38, 0.225, 10.0, "recovers"),
        (0.38, 0.2, 10.0, "metastable"),
        (0.38, 0.2, 9.0, "recovers"),
        (0.285, 0.2, 10.0, "recovers"),
    ],
    ids=["0.45 CPU", "0.40 CPU", "0.40 CPU for 9 s", "0.40 CPU at three quarters of the load"],
)
def test_the_published_outcomes_come_out(
    utilisation: float, factor: float, trouble: float, outcome: str, seed: int
) -> None:
    scenario = calibrated(utilisation=utilisation, factor=factor, trouble=trouble, seconds=90)
    assert scenario.summary(seed).outcome == outcome


def test_a_central_budget_soon_after_the_trouble_begins_prevents_collapse() -> None:
    summary = calibrated(seconds=90, budget_after=2.0).summary(1)
    assert summary.outcome == "recovers"
    assert 4.7 < summary.lost_to_before < 13
    assert 1.5 < summary.peak_amplification < 1.9


def test_local_shedding_helps_unless_a_refusal_costs_half_a_request() -> None:
    free, dear = (calibrated(seconds=90, shed_above=0.5, reject_cost=cost).summary(1) for cost in (0.0, 0.5))
    assert (free.outcome, dear.outcome) == ("recovers", "metastable")
