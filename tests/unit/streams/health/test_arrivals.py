"""The φ formula against its definition."""

from __future__ import annotations

from math import log10
from statistics import NormalDist, fmean, pvariance

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowshed.streams.health.arrivals import LARGEST_PHI, deviation, learn, quantile, suspicion
from snowshed.streams.policy import HealthPolicy


def test_phi_five_is_reached_at_4_265_deviations_past_the_mean() -> None:
    assert quantile(5.0) == pytest.approx(4.265, abs=5e-4)
    assert suspicion(1.0 + quantile(5.0) * 0.1, 1.0, 0.1) == pytest.approx(5.0, abs=1e-6)


@given(st.floats(0.0, 1.5), st.floats(0.1, 1.0), st.floats(0.05, 1.0))
def test_phi_is_minus_the_logarithm_of_the_normal_tail(elapsed: float, mean: float, sigma: float) -> None:
    tail = 1.0 - NormalDist(mean, sigma).cdf(elapsed)
    if tail > 1e-9:
        assert suspicion(elapsed, mean, sigma) == pytest.approx(-log10(tail), abs=1e-4)


def test_phi_stays_finite_however_long_the_silence() -> None:
    assert suspicion(1e9, 1.0, 0.05) == LARGEST_PHI


@given(st.lists(st.floats(0.1, 2.0), min_size=2, max_size=90))
def test_the_first_samples_weigh_alike(samples: list[float]) -> None:
    mean, variance, count = samples[0], 0.0, 0.0
    for sample in samples[1:]:
        mean, variance, count = learn(mean, variance, count, sample, 200.0)
    assert mean == pytest.approx(fmean(samples))
    assert variance == pytest.approx(pvariance(samples), abs=1e-9)


def test_old_intervals_are_forgotten_over_the_window() -> None:
    mean, variance, count = 1.0, 0.0, 0.0
    for _ in range(200):
        mean, variance, count = learn(mean, variance, count, 1.0, 200.0)
    for _ in range(1000):
        mean, variance, count = learn(mean, variance, count, 0.5, 200.0)
    assert mean == pytest.approx(0.5, abs=1e-3)
    assert variance == pytest.approx(0.0, abs=1e-3)


def test_the_deviation_has_an_absolute_and_a_relative_floor() -> None:
    policy = HealthPolicy()
    assert deviation(0.1, 0.0, policy) == 0.05
    assert deviation(2.0, 0.0, policy) == 0.2
    assert deviation(1.0, 0.25, policy) == 0.5
