import sys
from math import isnan, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowshed.producers.sampling import HostSampler, count_tcp_states, parse_cpu, parse_memory
from snowshed.producers.vitals import LinkReading, Reading, TcpCounts, vitals_between

_PROC_NET_TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100
   1: 0100007F:1538 0100007F:A001 01 00000000:00000000 00:00000000 00000000     0        0 2 1 0 100
   2: 0100007F:A001 0100007F:1538 01 00000000:00000000 00:00000000 00000000     0        0 3 1 0 100
   3: 0100007F:A002 0100007F:1538 02 00000000:00000000 00:00000000 00000000     0        0 4 1 0 100
   4: 0100007F:A003 0100007F:1538 06 00000000:00000000 00:00000000 00000000     0        0 5 1 0 100
   5: 0100007F:A004 0100007F:1538 08 00000000:00000000 00:00000000 00000000     0        0 6 1 0 100
"""


def _reading(
    at: float = 0.0, busy: float = nan, total: float = nan, links: dict[str, LinkReading] | None = None
) -> Reading:
    return Reading(at=at, cpu_busy=busy, cpu_total=total, links=links or {}, tcp=TcpCounts())


def test_processor_use_is_the_busy_share_of_the_time_between_two_readings() -> None:
    vitals = vitals_between(_reading(busy=100, total=1_000), _reading(at=1, busy=103, total=1_004))
    assert vitals.cpu == pytest.approx(0.75)


def test_a_first_reading_alone_says_nothing_about_use() -> None:
    vitals = vitals_between(None, _reading(busy=100, total=1_000))
    assert isnan(vitals.cpu)
    assert isnan(vitals.network)


def test_network_use_is_that_of_the_busiest_link_in_its_busier_direction() -> None:
    before = {
        "eth0": LinkReading(received=0, sent=0, speed=1_000),
        "eth1": LinkReading(received=0, sent=0, speed=1_000),
    }
    after = {
        "eth0": LinkReading(received=100, sent=900, speed=1_000),
        "eth1": LinkReading(received=800, sent=800, speed=1_000),
    }
    assert vitals_between(_reading(links=before), _reading(at=2, links=after)).network == pytest.approx(0.45)


def test_a_link_of_unknown_speed_or_a_counter_that_was_reset_gives_no_use() -> None:
    before = {"lo": LinkReading(received=0, sent=0), "eth0": LinkReading(received=500, sent=500, speed=1_000)}
    after = {"lo": LinkReading(received=9, sent=9), "eth0": LinkReading(received=1, sent=1, speed=1_000)}
    assert isnan(vitals_between(_reading(links=before), _reading(at=1, links=after)).network)


@given(st.lists(st.floats(0, 1e12), min_size=4, max_size=4))
def test_ratios_stay_between_0_and_1_whatever_the_counters_do(values: list[float]) -> None:
    before, after = _reading(busy=values[0], total=values[1]), _reading(at=1, busy=values[2], total=values[3])
    cpu = vitals_between(before, after).cpu
    assert isnan(cpu) or 0 <= cpu <= 1


def test_connections_are_counted_by_state() -> None:
    counts = count_tcp_states(_PROC_NET_TCP.splitlines())
    assert counts == TcpCounts(established=2, syn_sent=1, close_wait=1, time_wait=1)


def test_without_a_connection_table_the_counts_are_unknown() -> None:
    assert isnan(count_tcp_states([]).established)


def test_idle_and_waiting_ticks_are_not_busy_and_guests_are_not_counted_twice() -> None:
    assert parse_cpu(["cpu  10 1 20 60 5 1 2 1 99 99", "cpu0 1 2 3"]) == (35.0, 100.0)


def test_memory_in_use_is_what_is_not_available() -> None:
    lines = ["MemTotal:        1000 kB", "MemFree:  1 kB", "MemAvailable:     250 kB", ""]
    assert parse_memory(lines) == pytest.approx(0.75)


def test_missing_files_give_unknown_values() -> None:
    assert isnan(parse_memory([]))
    assert all(isnan(value) for value in parse_cpu([]))


@pytest.mark.parametrize("with_psutil", [True, False])
def test_this_host_can_be_measured(monkeypatch: pytest.MonkeyPatch, *, with_psutil: bool) -> None:
    if not with_psutil:
        monkeypatch.setitem(sys.modules, "psutil", None)
    vitals = HostSampler().sample()
    assert 0 < vitals.memory < 1
    assert vitals.run_queue >= 0
    assert vitals.tcp.established >= 0
