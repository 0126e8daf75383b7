"""The queue brake: its cursor alone, and against a model of a service with a queue."""

from __future__ import annotations

import random
from collections import Counter, deque
from statistics import fmean, pstdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snowshed.consumers import Brake, Guard, LocalBrakes, Permit, Refusal
from snowshed.consumers.brakes import CalleeCursorOptions, QueueDelay, QueueDelayOptions, priority
from snowshed.consumers.brakes.dither import Dither
from snowshed.consumers.integrations.refused import DEGRADE_LEVEL, advertised, hear
from snowshed.consumers.testing import FakeClock
from snowshed.schemas.propagation import CURSOR, LOWEST_PRIORITY, Criticality


def _window(brake: QueueDelay, now: float, levels: list[int], waited: float) -> list[int]:
    """Offers one request a level listed, ends the window, and returns what was admitted."""
    admitted: list[int] = []
    for level in levels:
        if not brake.refuses(level, waited, None):
            brake.passed(level)
            admitted.append(level)
    brake.tick(now)
    return admitted


_EVENLY = [level for level in range(512) for _ in range(2)]


def test_a_host_that_tells_no_delays_is_never_overloaded() -> None:
    brake = QueueDelay(QueueDelayOptions(), 0.0)
    for second in range(1, 60):
        assert len(_window(brake, float(second), _EVENLY, 0.0)) == len(_EVENLY)
    assert (brake.cursor, brake.is_overloaded) == (LOWEST_PRIORITY, False)


def test_under_overload_the_lowest_priorities_go_first() -> None:
    brake = QueueDelay(QueueDelayOptions(), 0.0)
    _window(brake, 1.0, _EVENLY, 0.021)
    assert brake.is_overloaded
    assert brake.cursor == pytest.approx(0.95 * 512, abs=2)
    admitted = _window(brake, 2.0, _EVENLY, 0.5)
    assert max(admitted) == pytest.approx(0.95 * 512, abs=2)
    assert brake.cursor == pytest.approx(0.95**2 * 512, abs=2)


@pytest.mark.parametrize(("delay", "step"), [(0.0, 0.05), (0.01, 0.025), (0.0195, 0.00125)])
def test_after_overload_more_is_admitted_each_window_the_less_the_longer_requests_wait(
    delay: float, step: float
) -> None:
    brake = QueueDelay(QueueDelayOptions(), 0.0)
    one_class = [128 + at % 128 for at in range(1280)]
    for second in range(1, 4):
        _window(brake, float(second), one_class, 0.5)
    before = brake.cursor + brake.share
    _window(brake, 4.0, one_class, delay)
    assert brake.cursor + brake.share == pytest.approx(before + step * 128, abs=0.3)


def test_a_full_queue_that_serves_who_has_just_come_admits_as_many_again() -> None:
    brake = QueueDelay(QueueDelayOptions(), 0.0)
    for level in _EVENLY:
        brake.turns_away(level)
    for level in _EVENLY[::2]:
        assert not brake.refuses(level, 0.001, 0.5)
    for _ in _EVENLY[1::2]:
        brake.gave_up(0.5)
    brake.tick(1.0)
    assert brake.is_overloaded
    assert brake.cursor == pytest.approx(256, abs=2), "half of the calls could be served, and are again"


def test_a_backlog_is_worked_off() -> None:
    brake = QueueDelay(QueueDelayOptions(), 0.0)
    _window(brake, 1.0, _EVENLY, 0.5)
    assert brake.cursor == pytest.approx(0.95 * 512, abs=2)


def test_when_the_trouble_is_over_everything_is_admitted_again_within_seconds() -> None:
    brake = QueueDelay(QueueDelayOptions(), 0.0)
    second = 0
    while brake.cursor > 100:
        second += 1
        _window(brake, float(second), _EVENLY, 0.5)
    begun = second
    while brake.cursor < LOWEST_PRIORITY:
        second += 1
        _window(brake, float(second), _EVENLY, 0.001)
    assert second - begun <= 10
    _window(brake, second + 1.0, _EVENLY, 0.5)
    before = brake.cursor
    _window(brake, second + 2.0, _EVENLY, 0.0)
    assert brake.cursor == pytest.approx(before + QueueDelayOptions().climb, abs=2), "it began anew with small steps"


@pytest.mark.parametrize(("slots", "windows"), [(None, 6), (20, 6), (64, 4)])
def test_where_places_are_known_to_be_free_everything_is_admitted_again_sooner(slots: int | None, windows: int) -> None:
    """Half of 1024 requests of 40 ms take 20 places; of 64 most are free, and the hardly any wait is no chance."""
    brake = QueueDelay(QueueDelayOptions(), 0.0)
    if slots is not None:
        brake.serve(slots, 0.04)
    second = 0.0
    while brake.cursor > 256:
        second += 1.0
        _window(brake, second, _EVENLY, 9.0)
    taken = 0
    while brake.cursor < LOWEST_PRIORITY:
        taken += 1
        _window(brake, second + taken, _EVENLY, 0.001)
    assert taken == windows


def test_traffic_of_one_priority_is_thinned_and_not_switched_off() -> None:
    brake = QueueDelay(QueueDelayOptions(), 0.0)
    same = [128] * 1000
    for second in range(1, 6):
        _window(brake, float(second), same, 0.021)
    assert brake.cursor == 128
    assert len(_window(brake, 6.0, same, 0.0)) == pytest.approx(0.95**5 * 1000, abs=2)


def test_what_callers_no_longer_send_comes_back_by_degrees() -> None:
    """The callers obey the cursor, so nothing above it can be counted."""
    brake = QueueDelay(QueueDelayOptions(down=0.5), 0.0)
    _window(brake, 1.0, _EVENLY, 10.0)
    cursor = brake.cursor
    _window(brake, 2.0, [level for level in _EVENLY if level <= cursor], 0.0)
    assert brake.cursor == cursor + 16


def test_while_a_queue_is_worked_off_the_cursor_goes_by_what_arrives() -> None:
    """Half of what arrives can be served, and what was queued before keeps the service busy for some windows."""
    brake = QueueDelay(QueueDelayOptions(), 0.0)
    for second in range(1, 6):
        for level in range(512):
            brake.turns_away(level)
        _window(brake, float(second), [0] * 256, 1.0)
        assert brake.cursor == pytest.approx(0.95 * 256, abs=2), "and not lower with each window"


def test_a_few_slow_requests_are_no_overload() -> None:
    brake = QueueDelay(QueueDelayOptions(), 0.0)
    _window(brake, 1.0, [0] * 9, 5.0)
    assert not brake.is_overloaded


def test_a_longer_deadline_bears_a_longer_queue() -> None:
    brake = QueueDelay(QueueDelayOptions(), 0.0)
    for _ in range(100):
        brake.refuses(0, 0.1, 1.9)
    assert brake.target == pytest.approx(0.1)


def test_a_window_ends_early_when_it_is_full() -> None:
    brake = QueueDelay(QueueDelayOptions(requests=500), 0.0)
    _window(brake, 0.1, [0] * 499, 0.5)
    assert not brake.is_overloaded
    _window(brake, 0.2, [0], 0.5)
    assert brake.is_overloaded


@given(
    windows=st.lists(
        st.tuples(st.lists(st.integers(0, 511), max_size=60), st.sampled_from([0.0, 0.01, 0.03, 0.3, 3.0])), max_size=30
    )
)
def test_no_priority_is_refused_while_a_lower_one_is_admitted(windows: list[tuple[list[int], float]]) -> None:
    brake = QueueDelay(QueueDelayOptions(fewest=1), 0.0)
    for second, (levels, waited) in enumerate(windows, start=1):
        cursor = brake.cursor
        admitted = _window(brake, float(second), levels, waited)
        assert all(level <= cursor for level in admitted)
        assert sorted(level for level in levels if level < cursor) == sorted(x for x in admitted if x < cursor)
        assert 0 <= brake.cursor <= LOWEST_PRIORITY
        assert 0.0 <= brake.share <= 1.0


@settings(max_examples=25)
@given(windows=st.lists(st.lists(st.integers(0, 511), min_size=20, max_size=60), max_size=20))
def test_without_delay_it_always_opens_again(windows: list[list[int]]) -> None:
    brake = QueueDelay(QueueDelayOptions(), 0.0)
    for second, levels in enumerate(windows, start=1):
        _window(brake, float(second), levels, 1.0)
    for second in range(len(windows) + 1, len(windows) + 120):
        _window(brake, float(second), _EVENLY[::32], 0.0)
    assert (brake.cursor, brake.share) == (LOWEST_PRIORITY, 1.0)


@given(share=st.floats(0, 1), calls=st.integers(1, 500))
def test_a_dither_lets_its_share_pass_evenly(share: float, calls: int) -> None:
    dither = Dither(share)
    passed = 0
    for number in range(1, calls + 1):
        if not dither.refuses():
            dither.passed()
            passed += 1
        assert abs(passed - share * number) <= 1 + 1e-6


class _Service:
    """A model of a service that takes `capacity` requests a second in the order of their arrival."""

    def __init__(self, capacity: float) -> None:
        self.clock = FakeClock(0.0)
        self.guard = Guard("orders", clock=self.clock)
        self._random = random.Random(7)
        self._capacity = capacity
        self._queue: deque[tuple[float, Criticality, int]] = deque()
        self._free_at = 0.0
        self.answered: list[tuple[float, Criticality]] = []
        self.offered: Counter[Criticality] = Counter()

    def run(self, rate: float, seconds: float) -> None:
        """Poisson arrivals; classes in the shares of 5, 25, 30 and 40 %."""
        arrival = self._random.expovariate(rate)
        while self.clock() < seconds:
            if self._queue and self._free_at <= arrival:
                self.clock.now = max(self.clock(), self._free_at)
                self._serve()
            else:
                self.clock.now = arrival
                self._arrive()
                arrival += self._random.expovariate(rate)

    def _arrive(self) -> None:
        one = self._random.choices(list(Criticality), (5, 25, 30, 40))[0]
        cohort = self._random.randrange(128)
        self.offered[one] += 1
        if self.guard.turn_away(criticality=one, cohort=cohort) is None:
            self._queue.append((self.clock(), one, cohort))

    def _serve(self) -> None:
        since, one, cohort = self._queue.popleft()
        answer = self.guard.try_admit(criticality=one, cohort=cohort, queued_for=self.clock() - since)
        if isinstance(answer, Permit):
            self._free_at = self.clock() + self._random.expovariate(self._capacity)
            self.answered.append((self._free_at, one))
            answer.succeeded()

    def per_second(self, first: int, last: int) -> list[int]:
        """Requests answered in each of these seconds."""
        counts = Counter(int(at) for at, _ in self.answered)
        return [counts[second] for second in range(first, last)]

    def availability(self, one: Criticality) -> float:
        return sum(answered is one for _, answered in self.answered) / self.offered[one]


@pytest.mark.parametrize("overload", [1.5, 3.0])
def test_a_sustained_overload_is_held_near_the_capacity_without_swinging(overload: float) -> None:
    service = _Service(capacity=500.0)
    service.run(rate=500.0 * overload, seconds=30.0)
    answered = service.per_second(10, 30)
    assert fmean(answered) > 0.85 * 500
    assert pstdev(answered) / fmean(answered) < 0.09, "arrivals and service times alone vary by 5 %"
    assert service.availability(Criticality.CRITICAL_PLUS) > 0.97
    assert service.availability(Criticality.SHEDDABLE) < 0.35


def test_a_request_turned_away_on_arrival_is_counted_once() -> None:
    clock = FakeClock()
    guard = Guard("orders", clock=clock, rng=lambda: 0.5)
    for _ in range(100):
        guard("read", queued_for=1.0).succeeded()
    clock.advance(1.0)
    assert guard.stats.local.queue_delay == 1.0
    assert guard.cursor == priority(Criticality.CRITICAL, 0)
    refusal = guard.turn_away("read", criticality=Criticality.SHEDDABLE)
    assert refusal is not None
    assert (refusal.brake, refusal.retry_after, refusal.retriable) == (Brake.QUEUE, 1.0, True)
    assert guard.turn_away("read", criticality=Criticality.CRITICAL_PLUS) is None
    assert guard.stats.rejected == {Brake.QUEUE: 1}
    assert refusal.reason == "requests wait 1000 ms: priorities up to 128 are admitted"


def test_without_the_queue_brake_nothing_is_turned_away() -> None:
    guard = Guard("orders", local=LocalBrakes.off())
    for _ in range(5000):
        assert not isinstance(guard.try_admit(queued_for=9.0), Refusal)
    assert guard.turn_away(criticality=Criticality.SHEDDABLE) is None
    assert guard.cursor == LOWEST_PRIORITY


def test_a_caller_does_not_send_what_the_callee_says_it_sheds() -> None:
    clock = FakeClock()
    guard = Guard("orders", clock=clock, local=LocalBrakes(callee_cursor=CalleeCursorOptions()))
    hear(guard, {CURSOR: "255"})
    answer = guard.try_admit(criticality=Criticality.SHEDDABLE_PLUS)
    assert isinstance(answer, Refusal)
    assert (answer.brake, answer.reason) == (Brake.QUEUE, "the callee admits priorities up to 255")
    assert isinstance(guard.try_admit(criticality=Criticality.CRITICAL, cohort=127), Permit)
    clock.advance(1.1)
    assert isinstance(guard.try_admit(criticality=Criticality.SHEDDABLE), Permit), "its word does not hold for ever"
    hear(guard, {CURSOR: "0"})
    hear(guard, {})
    assert isinstance(guard.try_admit(criticality=Criticality.SHEDDABLE), Permit)


def test_a_callee_advertises_its_cursor_only_while_it_sheds() -> None:
    clock = FakeClock()
    guard = Guard("orders", clock=clock)
    assert advertised(guard) == {DEGRADE_LEVEL: "0"}
    for _ in range(100):
        guard("read", queued_for=1.0).succeeded()
    clock.advance(1.0)
    assert advertised(guard) == {DEGRADE_LEVEL: "0", CURSOR: "128"}


@given(text=st.text(max_size=6))
def test_a_damaged_cursor_sheds_nothing_that_is_most_important(text: str) -> None:
    guard = Guard("orders", local=LocalBrakes(callee_cursor=CalleeCursorOptions()))
    hear(guard, {CURSOR: text})
    assert isinstance(guard.try_admit(criticality=Criticality.CRITICAL_PLUS), Permit)
