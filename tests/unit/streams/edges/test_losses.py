"""Reports that never came: a window is missing, and its reporter says that it has dropped something."""

from __future__ import annotations

from dataclasses import fields, replace
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.streams.edges.test_timing_fold import START, Partition, report

from snowshed.schemas.records import EdgeObservations, TimingBatch, Vantage
from snowshed.streams.edges import CalleeState
from snowshed.streams.edges.losses import Loss, Report, Reporters, dated, heard, losses, settled
from snowshed.streams.edges.state import tabled


def said(number: float, dropped: float, *, reporter: str = "web-1", calls: float = 50.0, end: bool = True) -> Report:
    return Report(reporter, end, START + number, 1.0, dropped, calls)


def after(*reports: Report) -> Reporters:
    """What is held after reports that came as their windows ended."""
    held = Reporters()
    for one in reports:
        held, _ = heard(held, [one], one.start + one.window, 600.0)
    return held


def found(held: Reporters) -> list[Loss]:
    return list(losses(held, max(held.heard), 10.0))


def test_windows_that_are_missing_are_lost_as_far_as_their_reporter_dropped_something() -> None:
    assert found(after(said(0, 0), said(3, 5))) == [Loss("web-1", True, 2.0, 100.0, 50.0)]
    assert found(after(said(0, 0), said(9, 5))) == [Loss("web-1", True, 5.0, 250.0, 50.0)]


def test_a_window_without_calls_is_not_reported_and_not_lost() -> None:
    assert found(after(said(0, 4), said(7, 4))) == []


def test_what_was_dropped_may_have_been_about_others() -> None:
    assert found(after(said(0, 0), said(1, 3))) == []


def test_a_loss_may_be_known_only_once_a_delivery_is_given_up() -> None:
    assert [one.reports for one in found(after(said(0, 0), said(3, 0), said(4, 0), said(5, 2)))] == [2.0]
    assert found(after(said(0, 0), said(3, 0), *[said(float(at), 0) for at in range(4, 66)], said(66, 2))) == []


def test_a_report_that_comes_out_of_turn_was_not_lost() -> None:
    assert [one.reports for one in found(after(said(0, 0), said(3, 0), said(1, 0), said(4, 2)))] == [1.0]


def test_a_new_process_of_the_same_name_owes_nothing_for_the_one_before() -> None:
    assert found(after(said(0, 7), said(9, 0), said(10, 1))) == []


def test_each_end_is_held_against_all_its_reporters_of_late() -> None:
    held = after(
        said(-300, 0, reporter="web-0", calls=900.0),
        said(0, 0),
        said(0, 0, reporter="web-2", calls=150.0),
        said(0, 0, reporter="api-1", calls=200.0, end=False),
        said(2, 1),
    )
    assert found(held) == [Loss("web-1", True, 1.0, 50.0, 200.0)]
    assert found(settled(held)) == []


def test_a_reporter_that_is_long_gone_is_forgotten() -> None:
    assert after(said(0, 0, reporter="old"), said(600, 0)).name == ("old", "web-1")
    assert after(said(0, 0, reporter="old"), said(601, 0)).name == ("web-1",)


@given(
    st.lists(
        st.tuples(st.floats(0.0, 1e9), st.floats(1e-300, 1e9), st.floats(0.0, 1e9), st.floats(0.0, 1e9)), max_size=20
    )
)
def test_numbers_stay_finite_and_no_more_is_lost_than_was_dropped(
    rows: list[tuple[float, float, float, float]],
) -> None:
    held, total = heard(Reporters(), [Report("r", True, *row) for row in rows], START, inf)
    assert all(0.0 <= loss.reports < inf and 0.0 < loss.of < inf for loss in losses(held, START, inf))
    assert 0.0 <= total <= sum(row[2] for row in rows)


_REPORTS = st.lists(
    st.tuples(st.floats(0.0, 50.0), st.sampled_from((0.25, 1.0)), st.floats(0.0, 9.0), st.floats(0.0, 99.0)), max_size=9
)


@given(_REPORTS)
def test_a_reporter_alone_is_taken_for_what_it_is_among_others(rows: list[tuple[float, float, float, float]]) -> None:
    alone, among = Reporters(), after(said(0, 0, reporter="other"))
    for row in rows:
        one = Report("web-1", True, START + row[0], *row[1:])
        alone, found_alone = heard(alone, [one], START + 60.0, inf)
        among, found_among = heard(among, [one], START + 60.0, inf)
        assert found_alone == found_among
        for item in fields(Reporters):
            assert getattr(alone, item.name) == getattr(among, item.name)[1:]


_OFF = pytest.mark.parametrize("off", [2.0, -2.0, 30.0, -30.0, 3600.0, -3600.0])


def missing(off: float, since: int, loser: str) -> tuple[float, float]:
    """Reports found to be lost, and the seconds' worth of the callee's calls that they were.

    Of three reporters one loses each fourth report from 21 s on; the clock of web-1 is off from `since` on.
    """
    partition = Partition(round_trip=True)
    reports = seconds = 0.0
    for number in range(100):
        for reporter in ("web-1", "web-2", "web-3"):
            dropped = max((number - 17) // 4, 0) if reporter == loser else 0
            if dropped and number % 4 == 1:
                continue
            one = batch(number, float(dropped), reporter=reporter)
            ahead = off if reporter == "web-1" and number >= since else 0.0
            for record in observed(partition, number, replace(one, window_start=one.window_start + ahead)):
                reports += sum(record.lost_reports)
                seconds += sum(calls / of for calls, of in zip(record.lost_calls, record.lost_of, strict=True))
    return reports, seconds


@_OFF
@pytest.mark.parametrize("since", [0, 63])
@pytest.mark.parametrize("loser", ["web-1", "web-2"])
def test_a_clock_that_is_wrong_or_set_changes_nothing_of_what_is_known_to_be_lost(
    off: float, since: int, loser: str
) -> None:
    found = missing(off, since, loser)
    assert found == missing(0.0, 0, loser)
    assert found == pytest.approx((20.0, 20.0 / 3.0))


@_OFF
def test_a_clock_that_is_set_makes_nothing_seem_lost(off: float) -> None:
    held = after(*[said(float(at), 0.0) for at in range(9)])
    for at in range(9, 30):
        one = said(at + off, 1.0 if at > 10 else 0.0)
        held, lost = heard(held, [one], START + at + 1.0, 600.0)
        assert lost == 0.0


def test_reporters_of_an_earlier_release_are_read_as_if_their_clocks_were_right() -> None:
    held = after(said(0, 0), said(0, 3, reporter="web-2"))
    assert dated(replace(held, heard=(), least=())) == replace(held, heard=held.until, least=(0.0, 0.0))
    assert dated(held) is held
    state = CalleeState(callee="api", window_start=START, reporters=replace(held, heard=(), least=()))
    assert tabled(state).reporters.heard == held.until


def batch(number: int, lost: float, *, reporter: str = "web-1", vantage: Vantage = Vantage.CALLER) -> TimingBatch:
    sound = report(reporter=reporter, vantage=vantage)
    return replace(sound, window_start=START + number, sent_at=START + number + 1.0, lost=lost)


def observed(partition: Partition, number: int, *batches: TimingBatch) -> list[EdgeObservations]:
    records = [one.record for one in partition.step(START + number + 1.0, batches)]
    return [record for record in records if isinstance(record, EdgeObservations)]


def test_an_observation_tells_once_who_lost_how_much_of_what() -> None:
    partition = Partition(round_trip=True)
    observed(partition, 0, batch(0, 0.0), batch(0, 0.0, reporter="api-1", vantage=Vantage.CALLEE))
    for number in (1, 2):
        (record,) = observed(partition, number, batch(number, 0.0))
        assert record.lost_callee == ()
    (record,) = observed(partition, 3, batch(3, 0.0), batch(3, 7.0, reporter="api-1", vantage=Vantage.CALLEE))
    name = record.strings
    assert [name[int(index)] for index in (*record.lost_callee, *record.lost_reporter)] == ["api", "api-1"]
    assert (record.lost_by_caller, record.lost_reports) == ((0.0,), (2.0,))
    assert (record.lost_calls, record.lost_of) == ((100.0,), (50.0,))
    (record,) = observed(partition, 4, batch(4, 0.0), batch(4, 7.0, reporter="api-1", vantage=Vantage.CALLEE))
    assert record.lost_callee == ()


def test_a_report_without_sound_times_counts_and_says_nothing_of_losses() -> None:
    partition = Partition()
    for number, lost in enumerate((nan, inf, 0.0)):
        partition.step(START + number + 1.0, [batch(number, lost)])
    assert partition.state["api"].reporters.dropped == (0.0,)
    assert partition.state["api"].table.caller == ("web",)


@pytest.mark.parametrize(("lost", "usual"), [(True, 100.0), (False, 50.0)])
def test_fallen_traffic_is_not_taken_for_usual_while_reports_are_lost(usual: float, *, lost: bool) -> None:
    partition, dropped = Partition(), 0.0
    for number in range(80):
        reports = [batch(number, 0.0)]
        if number < 20 or number % 2:
            reports.append(batch(number, dropped, reporter="web-2"))
        elif lost:
            dropped += 1.0
        if number >= 20 and not lost:
            del reports[1:]
        observed(partition, number, *reports)
    (rate,) = partition.state["api"].table.first_rate
    assert rate == pytest.approx(usual, rel=0.1)
