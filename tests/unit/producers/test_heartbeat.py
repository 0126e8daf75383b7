from collections.abc import Callable
from math import isnan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowshed.producers import HeartbeatEmitter, LocalHealth, MemoryTransport, Node, TransportStats, Vitals
from snowshed.producers.heartbeat import no_vitals, unknown_pool
from snowshed.schemas.errors import ConfigurationError
from snowshed.schemas.records import Heartbeat, NodeStatus

_NODE = Node(name="shop-1", service="shop", zone="a", host="h1")


class _Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def _emitter(
    transport: MemoryTransport,
    clock: _Clock,
    vitals: Callable[[], Vitals] = no_vitals,
    pool: Callable[[], float] = unknown_pool,
) -> HeartbeatEmitter:
    return HeartbeatEmitter(_NODE, transport, interval=0.5, vitals=vitals, pool=pool, clock=clock)


def _beats(transport: MemoryTransport) -> list[Heartbeat]:
    return [sent.record for sent in transport.sent if isinstance(sent.record, Heartbeat)]


def test_beats_keep_to_the_interval_and_are_numbered() -> None:
    transport, clock = MemoryTransport(), _Clock()
    emitter = _emitter(transport, clock)
    for _ in range(5):
        clock.now += emitter.tick()
    assert [beat.seq for beat in _beats(transport)] == [0, 1, 2, 3, 4]
    assert [beat.monotonic for beat in _beats(transport)] == [100.0, 100.5, 101.0, 101.5, 102.0]


def test_waking_early_sends_no_extra_beat() -> None:
    transport, clock = MemoryTransport(), _Clock()
    emitter = _emitter(transport, clock)
    emitter.tick()
    clock.now += 0.2
    assert emitter.tick() == pytest.approx(0.3)
    assert len(_beats(transport)) == 1


def test_a_stall_costs_health_and_is_not_made_up_for_by_a_burst() -> None:
    transport, clock = MemoryTransport(), _Clock()
    emitter = _emitter(transport, clock)
    emitter.tick()
    clock.now += 3.2
    assert emitter.tick() == pytest.approx(0.3)
    assert [beat.local_health for beat in _beats(transport)] == [0, 1]


def test_telemetry_piling_up_costs_health() -> None:
    transport = MemoryTransport(TransportStats(queued=60, capacity=100))
    _emitter(transport, _Clock()).tick()
    assert _beats(transport)[0].local_health == 1


def test_a_beat_says_who_where_and_how_loaded() -> None:
    transport = MemoryTransport(TransportStats(round_trip=0.004))
    _emitter(transport, _Clock(), vitals=lambda: Vitals(cpu=0.7), pool=lambda: 0.9).tick()
    (sent,) = transport.sent
    beat = sent.record
    assert isinstance(beat, Heartbeat)
    assert (sent.topic, sent.key) == ("heartbeats", "shop-1")
    assert (beat.node, beat.service, beat.zone, beat.host) == ("shop-1", "shop", "a", "h1")
    assert (beat.cpu, beat.pool, beat.round_trip, beat.interval) == (0.7, 0.9, 0.004, 0.5)


def test_a_failing_measurement_does_not_stop_the_heart() -> None:
    def broken() -> float:
        raise RuntimeError("pool is gone")

    transport, clock = MemoryTransport(), _Clock()
    emitter = _emitter(transport, clock, pool=broken)
    clock.now += emitter.tick()
    emitter.tick()
    assert [isnan(beat.pool) for beat in _beats(transport)] == [True, True]


def test_the_thread_beats_until_it_is_left_and_then_says_good_bye() -> None:
    transport = MemoryTransport()
    with HeartbeatEmitter(_NODE, transport, interval=0.005):
        transport.wait_for(3, timeout=10)
    statuses = [beat.status for beat in _beats(transport)]
    assert statuses[-1] is NodeStatus.LEAVING
    assert set(statuses[:-1]) == {NodeStatus.UP}
    assert [beat.seq for beat in _beats(transport)] == list(range(len(statuses)))


def test_stopping_without_leaving_looks_like_a_crash() -> None:
    transport = MemoryTransport()
    emitter = HeartbeatEmitter(_NODE, transport, interval=0.005).start()
    transport.wait_for(1, timeout=10)
    emitter.stop(leaving=False)
    assert NodeStatus.LEAVING not in {beat.status for beat in _beats(transport)}


def test_an_emitter_that_was_never_started_has_nobody_to_leave() -> None:
    transport = MemoryTransport()
    HeartbeatEmitter(_NODE, transport).stop()
    assert transport.sent == ()


@pytest.mark.parametrize("interval", [0.0, -1.0, float("nan")])
def test_an_interval_that_is_not_positive_is_refused(interval: float) -> None:
    with pytest.raises(ConfigurationError, match="interval"):
        HeartbeatEmitter(_NODE, MemoryTransport(), interval=interval)


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0, 1))))
def test_the_health_score_stays_between_0_and_7(beats: list[tuple[float, float]]) -> None:
    health = LocalHealth()
    for late, backlog in beats:
        health = health.beat(late=late, interval=0.5, backlog=backlog)
        assert 0 <= health.score <= 7


@given(st.integers(1, 7))
def test_ten_good_beats_in_a_row_forgive_one_point(score: int) -> None:
    health = LocalHealth(score)
    for _ in range(9):
        health = health.beat(late=0.1, interval=0.5, backlog=0.1)
    assert health.score == score
    assert health.beat(late=0.1, interval=0.5, backlog=0.1).score == score - 1


def test_a_bad_beat_starts_the_count_of_good_ones_again() -> None:
    health = LocalHealth(3, good=9).beat(late=0.6, interval=0.5, backlog=0.0)
    assert health == LocalHealth(4, good=0)
