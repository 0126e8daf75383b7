"""Guards by host are bounded in number."""

from __future__ import annotations

from snowshed.consumers.integrations.hosts import HostGuards


def test_a_crawler_of_many_hosts_keeps_the_guards_it_asked_for_last() -> None:
    guards = HostGuards(most=3)
    first = [guards.of(f"h{number}") for number in range(3)]
    assert guards.of("h0") is first[0]
    for number in range(3, 5):
        guards.of(f"h{number}")
    assert len(guards) == 3
    assert guards.of("h0") is first[0], "it was asked for after h1 and h2"
    assert guards.of("h1") is not first[1]


def test_a_guard_with_a_call_in_flight_is_kept() -> None:
    guards = HostGuards(most=2)
    with guards.of("busy")("read"):
        busy = guards.of("busy")
        for number in range(100):
            guards.of(f"h{number}")
        assert guards.of("busy") is busy
        assert busy.stats.in_flight == 1
        assert len(guards) == 2


def test_the_bound_is_reached_again_when_calls_in_flight_have_ended() -> None:
    guards = HostGuards(most=2)
    permits = [guards.of(f"h{number}")("read") for number in range(50)]
    assert len(guards) == 50
    for permit in permits:
        permit.succeeded()
    for number in range(10):
        guards.of(f"n{number}")
    assert len(guards) == 2
