from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from threading import Event

import pytest
from structlog.testing import capture_logs

from snowshed.producers.collectors import Clock, CollectorThread, Reading, RowWritten
from snowshed.schemas.errors import ConfigurationError, ServerUnavailable

_ROW = RowWritten(
    dataset="orders", source="primary", system="test", version=1, written_at=0.0, row_period=0.5, position=0.0
)
_AWAY = ServerUnavailable("orders/primary: refused")


@dataclass
class _Scripted:
    """Gives what its script says: readings, or an error to raise."""

    script: Iterator[Sequence[Reading] | Exception]
    name: str = "scripted"
    period: float = 0.5
    closed: bool = False

    def collect(self, clock: Clock) -> Iterable[Reading]:
        del clock
        step = next(self.script)
        if isinstance(step, Exception):
            raise step
        return step

    def close(self) -> None:
        self.closed = True


@dataclass
class _Time:
    now: float = 100.0
    clock: Clock = field(init=False)

    def __post_init__(self) -> None:
        self.clock = Clock(lambda: self.now, lambda: self.now)


def _thread(*script: list[Reading] | Exception) -> tuple[CollectorThread, list[Reading], _Time]:
    readings: list[Reading] = []
    time = _Time()
    return CollectorThread(_Scripted(iter(script)), readings.append, clock=time.clock), readings, time


def test_readings_are_handed_on_and_polls_keep_their_grid() -> None:
    thread, readings, time = _thread([_ROW], [_ROW, _ROW])
    assert thread.step() == 0.5
    time.now += 0.7
    assert thread.step() == pytest.approx(0.3)
    assert readings == [_ROW] * 3


def test_an_outage_is_logged_when_it_starts_and_when_it_ends_and_not_in_between() -> None:
    thread, readings, time = _thread(_AWAY, _AWAY, _AWAY, [], [])
    with capture_logs() as logs:
        for _ in range(5):
            time.now += thread.step()
    assert [entry["event"] for entry in logs] == ["collector_failing", "collector_recovered"]
    assert logs[0]["reason"] == "orders/primary: refused"
    assert logs[1]["failed_for"] == pytest.approx(0.5 + 1.0 + 2.0)
    assert readings == []


def test_another_kind_of_failure_is_worth_another_line() -> None:
    thread, _, _ = _thread(_AWAY, ConfigurationError("grant it"), ConfigurationError("grant it"))
    with capture_logs() as logs:
        for _ in range(3):
            thread.step()
    assert [entry["kind"] for entry in logs] == ["ServerUnavailable", "ConfigurationError"]


def test_a_defect_is_logged_with_its_trace_and_the_collector_goes_on() -> None:
    thread, readings, _ = _thread(ZeroDivisionError("oops"), [_ROW])
    with capture_logs() as logs:
        thread.step()
        thread.step()
    assert "ZeroDivisionError" in logs[0]["trace"]
    assert readings == [_ROW]


def test_a_started_collector_polls_until_it_is_stopped() -> None:
    polled = Event()
    endless = iter(lambda: [_ROW], None)
    thread = CollectorThread(_Scripted(endless, period=0.001), lambda _: polled.set()).start()
    assert polled.wait(5)
    thread.stop(5)
    polled.clear()
    assert not polled.wait(0.05)
