"""Delays in bins: what is lost by them, what they cost, and what counts as a delay."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowshed.schemas.sketch import value_of
from snowshed.streams.lag.delays import PROFILES
from snowshed.streams.lag.histogram import Bins, Delays, bin_of, curve, merged, recorded
from snowshed.streams.lag.servers import Replica, Source
from snowshed.streams.lag.sights import outstanding, sighted
from snowshed.streams.lag.visibility import kaplan_meier

START = 1_700_000_000.0


@given(st.floats(60e-6, 1e7))
def test_a_bin_stands_for_its_delays_to_two_percent(seconds: float) -> None:
    assert value_of(bin_of(seconds)) == pytest.approx(seconds, rel=0.02 + 1e-9)


@pytest.mark.parametrize("seconds", [-1.0, 0.0, 50e-6])
def test_a_delay_that_clocks_cannot_tell_is_in_the_first_bin(seconds: float) -> None:
    assert bin_of(seconds) == 0


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("scale", [0.002, 0.02, 0.2])
def test_the_estimate_from_bins_is_that_of_the_pairs_to_two_percent(profile: str, scale: float) -> None:
    generator = np.random.default_rng(7)
    delays = PROFILES[profile].write.draw(generator, (20_000, 1)).ravel()
    ages = generator.exponential(scale, delays.shape)
    seconds, seen = np.minimum(delays, ages), np.less_equal(delays, ages)
    rows = zip(seconds.tolist(), seen.tolist(), strict=True)
    binned = curve(merged((bin_of(second), float(hit), float(not hit)) for second, hit in rows))
    exact = kaplan_meier(seconds, seen)
    assert (binned.pairs, binned.censored) == (exact.pairs, exact.censored)
    for share in (0.5, 0.99, 0.999):
        mine, theirs = binned.quantile(share), exact.quantile(share)
        if mine.settled and theirs.settled:
            # One bin more than its own error: what is censored in the bin of a crossing may move it to the next.
            assert mine.value == pytest.approx(theirs.value, rel=0.06)


def test_nothing_seen_gives_no_times() -> None:
    assert curve(()).pairs == 0
    unseen = curve(((100, 0.0, 5.0),))
    assert (unseen.censored, unseen.quantile(0.5).value) == (5.0, None)


def test_the_window_slides_by_halves_and_its_size_is_bounded() -> None:
    delays: Delays | None = None
    generator = np.random.default_rng(1)
    for minute in range(600):
        seconds = np.exp(generator.uniform(np.log(1e-4), np.log(1e4), 120))
        bins = merged((bin_of(second), 1.0, 0.0) for second in seconds.tolist())
        delays = recorded(delays, bins, (), at=START + 60.0 * minute, window=3600.0, age=2.0)
    assert delays is not None
    assert len(delays.halves) == 2
    kept = curve(merged(*(half.bins for half in delays.halves))).pairs
    assert 1800 / 60 * 120 <= kept <= 3600 / 60 * 120
    assert len(orjson.dumps(delays)) < 30_000


def _source(*rows: tuple[float, float]) -> Source:
    return Source(
        dataset="d",
        server="s",
        system="",
        writer="w",
        seen_at=0.0,
        monotonic=0.0,
        appended=0.0,
        row_period=1.0,
        poll_period=1.0,
        position=0.0,
        offset=0,
        history=rows,
        since=0.0,
    )


def _replica(version: float, written_at: float, seen_at: float) -> Replica:
    return Replica(
        dataset="d",
        server="r",
        system="",
        node="w",
        writer="w",
        version=version,
        written_at=written_at,
        monotonic=seen_at,
        seen_at=seen_at,
        appended=seen_at,
        row_period=1.0,
        poll_period=1.0,
        position=0.0,
        source_position=0.0,
        offset=0,
        since=0.0,
    )


def _expanded(bins: Bins) -> list[tuple[int, float, float]]:
    return [(round(value_of(number)), seen, censored) for number, seen, censored in bins]


def test_a_row_is_seen_when_it_or_a_newer_one_is_shown() -> None:
    source = _source((1, 10.0), (2, 11.0), (3, 12.0), (4, 13.0))
    bins = sighted(source, _replica(1, 10.0, 10.5), _replica(3, 12.0, 15.0), shift=0.0, patience=9.0)
    assert _expanded(bins) == [(3, 1.0, 0.0), (4, 1.0, 0.0)]
    assert sighted(source, _replica(3, 12.0, 15.0), _replica(3, 12.0, 16.0), shift=0.0, patience=9.0) == ()


def test_rows_that_are_no_longer_remembered_count_as_written_evenly() -> None:
    source = _source((1, 10.0), (101, 110.0))
    bins = sighted(source, _replica(1, 10.0, 209.5), _replica(101, 110.0, 210.0), shift=0.0, patience=9.0)
    assert sum(seen for _, seen, _ in bins) == pytest.approx(100.0)
    seconds = [value_of(number) for number, _, _ in bins]
    assert min(seconds) == pytest.approx(100.0, rel=0.02)
    assert max(seconds) == pytest.approx(200.0 - 100.0 / 16, rel=0.02)


def test_clocks_that_differ_are_taken_into_account() -> None:
    bins = sighted(None, _replica(1, 10.0, 112.0), _replica(2, 11.0, 114.0), shift=100.0, patience=9.0)
    assert _expanded(bins) == [(3, 1.0, 0.0)]


def test_what_a_reader_that_was_away_could_not_see_is_censored_at_its_last_look() -> None:
    source = _source((1, 10.0), (2, 11.0), (3, 12.0))
    bins = sighted(source, _replica(1, 10.0, 13.0), _replica(3, 12.0, 100.0), shift=0.0, patience=9.0)
    assert _expanded(bins) == [(1, 0.0, 1.0), (2, 0.0, 1.0)]


def test_what_is_not_shown_yet_is_as_old_as_at_the_last_look() -> None:
    source = _source((1, 10.0), (2, 11.0), (3, 16.0))
    assert _expanded(outstanding(source, _replica(1, 10.0, 15.0), shift=0.0)) == [(4, 0.0, 1.0)]
    assert outstanding(None, _replica(1, 10.0, 15.0), shift=0.0) == ()


def test_a_source_that_begins_anew_or_another_writer_gives_no_delays() -> None:
    before = _replica(9, 10.0, 11.0)
    assert sighted(None, before, _replica(1, 12.0, 13.0), shift=0.0, patience=9.0) == ()
    other = replace(_replica(12, 12.0, 13.0), writer="x")
    assert sighted(None, before, other, shift=0.0, patience=9.0) == ()
