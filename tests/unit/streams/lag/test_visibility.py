"""t-visibility: Kaplan and Meier's estimate with censoring, late entry and bands."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowshed.streams.lag.visibility import Visibility, kaplan_meier

_DELAY = st.floats(1e-4, 1e3, allow_nan=False)
_PAIRS = st.lists(st.tuples(_DELAY, st.booleans()), min_size=1, max_size=60)


def estimate(pairs: list[tuple[float, bool]]) -> Visibility:
    return kaplan_meier([delay for delay, _ in pairs], [seen for _, seen in pairs])


def test_a_textbook_sample_gives_the_textbook_curve() -> None:
    # Remission times of the treated group of Freireich et al. 1963, the usual example.
    seen = [6, 6, 6, 7, 10, 13, 16, 22, 23]
    censored = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    curve = kaplan_meier([*map(float, seen), *map(float, censored)], [True] * 9 + [False] * 12)
    assert curve.times.tolist() == [6, 7, 10, 13, 16, 22, 23]
    assert curve.survival == pytest.approx([0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448], abs=5e-4)
    error = curve.survival * np.sqrt(curve.spread)
    assert error == pytest.approx([0.0764, 0.0869, 0.0963, 0.1068, 0.1141, 0.1282, 0.1346], abs=5e-5)
    assert curve.quantile(0.5).value == 23
    assert curve.censored_share == pytest.approx(12 / 21)


@given(_PAIRS)
def test_the_curve_falls_and_stays_between_zero_and_one(pairs: list[tuple[float, bool]]) -> None:
    curve = estimate(pairs)
    assert np.all(np.diff(np.concatenate(([1.0], curve.survival))) <= 0)
    assert np.all((curve.survival >= 0) & (curve.survival <= 1))


@given(st.lists(_DELAY, min_size=1, max_size=60), _DELAY)
def test_without_censoring_it_is_the_empirical_distribution(delays: list[float], age: float) -> None:
    value = kaplan_meier(delays, [True] * len(delays)).fresh(age).value
    assert value == pytest.approx(sum(delay <= age for delay in delays) / len(delays), abs=1e-12)


@given(_PAIRS, _DELAY)
def test_a_band_holds_its_estimate(pairs: list[tuple[float, bool]], age: float) -> None:
    value, low, high = estimate(pairs).fresh(age)
    assert low is not None
    assert high is not None
    assert 0 <= low <= high <= 1
    assert value is None or low - 1e-12 <= value <= high + 1e-12


@given(_PAIRS, st.floats(0.01, 0.999))
def test_a_time_has_its_band_around_it(pairs: list[tuple[float, bool]], share: float) -> None:
    value, low, high = estimate(pairs).quantile(share)
    ends = [float("inf") if end is None else end for end in (low, value, high)]
    assert ends == sorted(ends)


@given(_PAIRS, st.floats(0.01, 0.999))
def test_a_time_is_where_its_share_is_reached(pairs: list[tuple[float, bool]], share: float) -> None:
    curve = estimate(pairs)
    time = curve.quantile(share).value
    if time is None:
        assert curve.survival.size == 0 or curve.survival[-1] > 1 - share
    else:
        reached = curve.fresh(time).value
        assert reached is not None
        assert reached >= share - 1e-9


@given(_PAIRS)
def test_unseen_pairs_only_make_it_later_than_leaving_them_out(pairs: list[tuple[float, bool]]) -> None:
    seen = [pair for pair in pairs if pair[1]]
    if seen:
        mine, naive = estimate(pairs).quantile(0.9).value, estimate(seen).quantile(0.9).value
        assert naive is not None
        assert mine is None or mine >= naive


def test_what_is_never_reached_is_beyond_the_window_and_not_a_number() -> None:
    curve = kaplan_meier([1.0, 2.0, 5.0, 5.0], [True, True, False, False])
    assert curve.quantile(0.5).value == 2.0
    assert curve.quantile(0.99).value is None
    assert curve.fresh(4.0).value == pytest.approx(0.5)
    later = curve.fresh(6.0)
    assert later.value is None
    assert later.high == 1.0


def test_nothing_seen_says_nothing() -> None:
    curve = kaplan_meier([], [])
    assert curve.quantile(0.5).value is None
    assert curve.censored_share == 0.0
    assert kaplan_meier([3.0], [False]).fresh(1.0).value == 0.0


def test_a_pair_that_came_late_was_not_at_risk_before() -> None:
    late = kaplan_meier([1.0, 2.0, 3.0], [True, True, True], [0.0, 0.0, 1.5])
    assert late.survival.tolist() == pytest.approx([1 / 2, 1 / 4, 0.0])


def test_late_entries_do_not_shift_the_estimate() -> None:
    generator = np.random.default_rng(7)
    delays = generator.exponential(1.0, 40_000)
    entered = generator.exponential(0.5, 40_000)
    kept = np.less(entered, delays)
    seen = [True] * int(np.count_nonzero(kept))
    corrected = kaplan_meier(delays[kept], seen, entered[kept]).quantile(0.5).value
    ignored = kaplan_meier(delays[kept], seen).quantile(0.5).value
    assert corrected == pytest.approx(np.log(2), rel=0.03)
    assert ignored is not None
    assert ignored > 1.3 * np.log(2)


@pytest.mark.parametrize(
    ("seconds", "seen", "entered"), [([1.0], [True, False], None), ([1.0], [True], [1.0]), ([1.0], [True], [0.1, 0.2])]
)
def test_what_does_not_fit_together_is_refused(
    seconds: list[float], seen: list[bool], entered: list[float] | None
) -> None:
    with pytest.raises(ValueError, match=r"length|observation"):
        kaplan_meier(seconds, seen, entered)


@pytest.mark.parametrize("share", [0.0, 1.0, 99.0])
def test_a_share_is_between_zero_and_one(share: float) -> None:
    with pytest.raises(ValueError, match="share"):
        kaplan_meier([1.0], [True]).quantile(share)
