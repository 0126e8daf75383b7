from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowshed.streams.simulate.queueing.server import Server
from snowshed.streams.simulate.queueing.troubles import CapacityLoss, Deploy, Gray, speed_steps


def test_a_request_waits_for_those_before_it() -> None:
    server = Server(2.0, ((0.0, 1.0),))
    assert server.take(1.0, 1.0) == (1.0, 1.5)
    assert server.take(1.2, 2.0) == (1.5, 2.5)
    assert server.take(5.0, 1.0) == (5.0, 5.5)


def test_work_that_is_under_way_when_the_speed_changes_goes_on_at_the_new_speed() -> None:
    server = Server(10.0, ((0.0, 1.0), (1.0, 0.1), (3.0, 1.0)))
    # 5 units until 1.0, 2 units until 3.0, and 3 units at full speed again.
    assert server.take(0.5, 10.0) == pytest.approx((0.5, 3.3))


def test_a_server_that_stands_still_goes_on_afterwards() -> None:
    server = Server(10.0, ((0.0, 1.0), (1.0, 0.0), (3.0, 1.0)))
    assert server.take(1.5, 1.0) == pytest.approx((1.5, 3.1))


def test_nothing_is_done_behind_work_that_never_ends() -> None:
    server = Server(10.0, ((0.0, 1.0), (1.0, 0.0)))
    assert [server.take(1.5, 1.0)[1], server.take(2.0, 1.0)[1]] == [float("inf")] * 2


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0.001, 20)), min_size=1, max_size=30))
def test_requests_are_done_in_their_order_and_none_faster_than_full_speed(requests: list[tuple[float, float]]) -> None:
    server = Server(10.0, ((0.0, 1.0), (2.0, 0.2), (4.0, 1.0)))
    now, done = 0.0, list[float]()
    for gap, work in requests:
        now += gap
        start, end = server.take(now, work)
        assert start >= now
        assert end - start >= work / 10.0 - 1e-9
        done.append(end)
    assert all(earlier <= later for earlier, later in pairwise(done))


def test_troubles_that_overlap_multiply() -> None:
    troubles = (
        CapacityLoss(service="a", factor=0.5, start=10.0, seconds=10.0),
        Gray(service="a", replica=1, factor=0.1, start=15.0, seconds=10.0),
        CapacityLoss(service="b", factor=0.1, start=0.0, seconds=99.0),
    )
    assert speed_steps("a", 0, troubles) == ((0.0, 1.0), (10.0, 0.5), (20.0, 1.0))
    assert speed_steps("a", 1, troubles) == ((0.0, 1.0), (10.0, 0.5), (15.0, 0.05), (20.0, 0.1), (25.0, 1.0))


def test_a_replica_is_slow_after_its_restart() -> None:
    deploy = Deploy(service="a", start=10.0, replicas=2, down=5.0, cold=3.0, cold_factor=0.5)
    assert deploy.absence(1) == (18.0, 23.0)
    assert deploy.absence(2) == (float("inf"), float("inf"))
    assert speed_steps("a", 1, (deploy,)) == ((0.0, 1.0), (23.0, 0.5), (26.0, 1.0))
