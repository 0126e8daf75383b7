"""Consumer groups: Burrow's rules, and the traps reported against them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from math import inf, isnan
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowshed.streams.lag.groups import GroupStatus, PartitionProgress, PartitionSeen, Verdict, judge, observe
from snowshed.streams.lag.log_ends import End, appended, looked
from snowshed.streams.lag.trend import trend
from snowshed.streams.policy import GroupPolicy

POLICY = GroupPolicy()


class Watched:
    """A partition and a group, looked at once a second."""

    def __init__(self, policy: GroupPolicy = POLICY) -> None:
        self.policy = policy
        self.now = 1000.0
        self.progress = PartitionProgress()

    def look(self, committed: int | None, end: int, *, alive: bool = True, seconds: float = 1.0) -> Verdict:
        self.now += seconds
        seen = PartitionSeen(asked=self.now, at=self.now, committed=committed, end=end, alive=alive)
        self.progress = observe(self.progress, seen, self.policy)
        return judge(self.progress, self.now, self.policy)

    def many(self, looks: int, at: Callable[[int], tuple[int, int]], *, alive: bool = True) -> Verdict:
        return [self.look(*at(number), alive=alive) for number in range(looks)][-1]


def test_a_group_that_keeps_up_is_ok() -> None:
    verdict = Watched().many(20, lambda i: (10 * i, 10 * i))
    assert (verdict.status, verdict.lag, verdict.high) == (GroupStatus.OK, 0, 0.0)


def test_a_group_that_has_committed_nothing_is_unknown() -> None:
    assert Watched().look(None, 100).status is GroupStatus.UNKNOWN


def test_a_group_that_is_behind_but_catches_up_is_ok() -> None:
    assert Watched().many(20, lambda i: (20 * i, 1000 + 10 * i)).status is GroupStatus.OK


def test_a_group_that_moves_and_never_comes_nearer_is_warned_of() -> None:
    assert Watched().many(10, lambda i: (10 * i, 100 + 11 * i)).status is GroupStatus.WARN


def test_nine_commits_are_too_few_for_a_warning() -> None:
    assert Watched().many(9, lambda i: (10 * i, 100 + 11 * i)).status is GroupStatus.OK


def test_a_live_group_that_does_not_move_is_stalled() -> None:
    assert Watched().many(12, lambda i: (50, 100 + i)).status is GroupStatus.STALL


def test_a_group_whose_offset_went_back_is_rewound_even_if_it_had_caught_up() -> None:
    watched = Watched()
    watched.many(10, lambda i: (10 * i, 10 * i))
    assert watched.look(5, 90).status is GroupStatus.REWIND


def test_a_rewind_is_forgotten_after_ten_commits_of_catching_up() -> None:
    watched = Watched()
    watched.many(10, lambda i: (1000 + 10 * i, 1000 + 10 * i))
    assert watched.look(5, 1090).status is GroupStatus.REWIND
    assert watched.many(10, lambda i: (10 + 20 * i, 1090 + i)).status is GroupStatus.OK


def test_a_stopped_group_is_stopped_and_its_lag_grows_although_nobody_commits() -> None:  # Burrow#58, #287
    watched = Watched()
    watched.many(10, lambda i: (10 * i, 10 * i))
    verdicts = [watched.look(90, 90 + 10 * i, alive=False) for i in range(1, 30)]
    assert verdicts[-1].status is GroupStatus.STOP
    assert [verdict.lag for verdict in verdicts] == [10 * i for i in range(1, 30)]
    first = next(i for i, verdict in enumerate(verdicts) if verdict.status is GroupStatus.STOP)
    assert 9 <= first <= 11
    assert all(later.low == earlier.low + 1 for earlier, later in pairwise(verdicts))


def test_a_slow_topics_group_is_not_stopped_by_the_first_record_after_a_pause() -> None:  # Burrow#38, #303
    watched = Watched()
    watched.many(5, lambda i: (i, i))
    for _ in range(300):
        assert watched.look(4, 4, alive=False).status is GroupStatus.OK
    assert watched.look(4, 5, alive=False).status is GroupStatus.OK
    assert watched.look(5, 5).status is GroupStatus.OK


def test_a_record_that_nobody_takes_makes_it_stopped_also_on_a_slow_topic() -> None:
    watched = Watched()
    watched.many(5, lambda i: (i, i))
    for _ in range(300):
        watched.look(4, 4, alive=False)
    statuses = [watched.look(4, 5, alive=False).status for _ in range(10)]
    assert statuses[0] is GroupStatus.OK
    assert statuses[-1] is GroupStatus.STOP


def test_one_dip_does_not_excuse_a_lag_that_grows_steadily() -> None:  # Burrow#738
    watched = Watched()

    def sawtooth(i: int) -> tuple[int, int]:
        dip = 500 if i % 7 == 0 else 0
        return 1000 * i - 50 * i - 1000 + dip, 1000 * i

    assert watched.many(299, sawtooth).status is GroupStatus.WARN
    assert judge(watched.progress, watched.now, POLICY).slope == pytest.approx(50, rel=0.05)
    rules_of_commits_alone = GroupPolicy(slope_z=inf)
    assert judge(watched.progress, watched.now, rules_of_commits_alone).status is GroupStatus.OK


def test_a_lag_that_only_fluctuates_is_ok() -> None:
    alarms = 0
    for seed in range(20):
        generator = Random(seed)
        watched = Watched()
        verdict = watched.many(299, lambda i, g=generator: (1000 * i - g.randrange(1, 200), 1000 * i))  # type: ignore[misc]
        alarms += verdict.status is not GroupStatus.OK
    assert alarms <= 1


def test_an_idle_group_with_a_constant_allowed_lag_is_ok() -> None:
    """Transaction markers stand at the end of a log and are never committed."""
    watched = Watched(GroupPolicy(allowed=1))
    assert watched.many(400, lambda _: (100, 101)).status is GroupStatus.OK


def test_a_log_made_anew_is_no_rewind() -> None:
    watched = Watched()
    watched.many(10, lambda i: (1000 + 10 * i, 1000 + 10 * i))
    assert watched.look(3, 5).status is GroupStatus.OK
    assert len(watched.progress.ends) == 1


def test_a_lag_in_seconds_is_never_extrapolated() -> None:  # kafka-lag-exporter#5
    watched = Watched()
    watched.many(10, lambda i: (0, 10 * i))
    assert watched.many(600, lambda _: (90, 90)).high == 0.0
    assert watched.look(90, 91).high <= 1.0


def test_a_record_older_than_the_first_look_has_no_upper_bound() -> None:
    watched = Watched()
    watched.many(5, lambda i: (0, 500 + 10 * i))
    verdict = watched.look(0, 550)
    assert verdict.low == 5.0
    assert verdict.high == inf


def test_an_idle_log_does_not_make_its_next_record_old() -> None:
    ends: tuple[End, ...] = ()
    for at in range(100):
        ends = looked(ends, 10, asked=float(at), answered=float(at))
    ends = looked(ends, 20, asked=100.0, answered=100.0)
    found = appended(ends, 10)
    assert found is not None
    assert (found.low, found.high) == (99.0, 100.0)
    assert found.guess == pytest.approx(99.1)


@given(st.lists(st.tuples(st.floats(0.01, 30), st.integers(0, 50)), min_size=1, max_size=300), st.data())
def test_the_truth_lies_in_the_interval(looks: list[tuple[float, int]], data: st.DataObject) -> None:
    """Records appended at known times; the interval of each that is inside what is remembered holds its time."""
    now, times, ends = 0.0, list[float](), tuple[End, ...]()
    for pause, records in looks:
        times += [now + pause * (i + 1) / (records + 1) for i in range(records)]
        now += pause
        ends = looked(ends, len(times), asked=now, answered=now + 0.01)
    assert len(ends) <= 64
    offset = data.draw(st.integers(0, len(times)))
    found = appended(ends, offset)
    if offset == len(times):
        assert found is None
    else:
        assert found is not None
        assert found.low <= times[offset] <= found.high
        assert found.low <= found.guess <= found.high


def test_memory_is_bounded() -> None:
    watched = Watched()
    watched.many(2000, lambda i: (5 * i, 10 * i))
    assert len(watched.progress.ends) <= 64
    assert len(watched.progress.commits) == 10
    assert len(watched.progress.lags) <= 61


def test_a_late_look_changes_no_end() -> None:
    ends = looked((), 10, asked=100.0, answered=100.0)
    assert looked(ends, 12, asked=99.0, answered=99.0) == ends


def test_a_trend_survives_outliers() -> None:
    samples = [(float(i), 2.0 * i if i % 5 else 1e6) for i in range(50)]
    assert trend(samples).slope == pytest.approx(2.0, abs=0.2)
    assert trend([(float(i), float(i)) for i in range(50)]).z > 8
    assert trend([(1.0, 5.0)]).z == 0.0
    assert isnan(trend([(1.0, 5.0), (1.0, 6.0)]).slope)
