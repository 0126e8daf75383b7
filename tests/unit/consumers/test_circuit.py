"""The circuit breaker: its table, its evidence, its probes and its ramp."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snowshed.consumers import Brake, Guard, LocalBrakes, LocalStats, Permit, Refusal
from snowshed.consumers.brakes import Circuit, CircuitOptions, CircuitState
from snowshed.consumers.brakes.circuit import SHARES, TRANSITIONS, CircuitEvent
from snowshed.consumers.testing import FakeClock
from snowshed.schemas.errors import Rejected

_TICK = 0.05


class _World:
    """A circuit breaker, a clock and calls that end at once."""

    def __init__(self, draw: float = 0.5, **options: object) -> None:
        self.now = 0.0
        self.draw = draw
        self.circuit = Circuit(CircuitOptions(**options), 0.0)  # type: ignore[arg-type]
        self.states = [self.circuit.state]

    def call(self, *, failed: bool = False, elapsed: float = 0.01) -> bool:
        """Makes a call; False when it is refused."""
        circuit = self.circuit
        if circuit.refuses(self.now):
            return False
        generation = circuit.generation
        circuit.admitted(self.now)
        circuit.ended(generation, elapsed, self.now, self._draws, failed=failed)
        self._note()
        return True

    def passes(self, seconds: float, rate: int = 100, **call: object) -> int:
        """Time passes with so many calls a second, and ticks; returns how many were admitted."""
        admitted = 0
        for _ in range(round(seconds * rate)):
            self.now += 1 / rate
            admitted += self.call(**call)  # type: ignore[arg-type]
            self.tick()
        return admitted

    def tick(self) -> None:
        self.circuit.tick(self.now, self._draws)
        self._note()

    def state(self) -> CircuitState:
        return self.circuit.state

    def _draws(self) -> float:
        return self.draw

    def _note(self) -> None:
        if self.circuit.state is not self.states[-1]:
            self.states.append(self.circuit.state)


def test_the_table_leads_from_every_state_to_closed_and_has_a_share_for_each() -> None:
    assert set(SHARES) == set(CircuitState)
    reached = {CircuitState.CLOSED}
    for _ in CircuitState:
        reached |= {state for (state, _), after in TRANSITIONS.items() if after in reached}
    assert reached == set(CircuitState)
    assert {state for state, event in TRANSITIONS if event is CircuitEvent.TRIPPED} == {
        state for state, share in SHARES.items() if share > 0
    }


def test_half_of_the_calls_failing_trips_it_and_fewer_do_not() -> None:
    world = _World()
    for number in range(400):
        world.passes(0.01, failed=number % 5 < 2)
    assert world.state() is CircuitState.CLOSED
    for number in range(2000):
        world.passes(0.01, failed=number % 2 == 0)
    assert world.states[1] is CircuitState.OPEN


def test_a_few_calls_do_not_trip_it_unless_all_of_them_fail() -> None:
    world = _World()
    for number in range(19):
        world.passes(0.1, rate=10, failed=number % 3 < 2)
    assert world.state() is CircuitState.CLOSED
    world = _World()
    for _ in range(9):
        world.call(failed=True)
    assert world.state() is CircuitState.CLOSED
    world.call(failed=True)
    assert world.state() is CircuitState.OPEN, "at once, without waiting for a tick"


def test_slow_calls_trip_it_where_slow_is_said() -> None:
    world = _World()
    world.passes(5.0, elapsed=9.0)
    assert world.state() is CircuitState.CLOSED
    world = _World(slow_after=1.0)
    world.passes(0.3, elapsed=1.0)
    assert world.state() is CircuitState.OPEN


def test_old_failures_are_forgotten() -> None:
    world = _World()
    for number in range(18):
        world.passes(0.01, failed=number % 3 > 0)
    world.now += 10.1
    world.passes(0.1)
    assert world.state() is CircuitState.CLOSED


def test_it_rests_probes_and_ramps_up() -> None:
    world = _World()
    world.passes(0.1, failed=True)
    assert world.passes(4.8) == 0
    assert world.state() is CircuitState.OPEN
    assert world.circuit.retry_after(world.now) == pytest.approx(0.2, abs=0.05)
    world.passes(0.25)
    assert world.state() is CircuitState.HALF_OPEN
    assert world.circuit.retry_after(world.now) == 1.0
    assert world.passes(1.8) <= 11, "a twentieth of the calls"
    world.passes(0.5)
    assert world.state() is CircuitState.RAMP_10
    admitted = [world.passes(4.0)]
    world.passes(1.0)
    admitted.append(world.passes(4.0))
    world.passes(1.0)
    admitted.append(world.passes(4.0))
    world.passes(1.2)
    assert admitted == pytest.approx([40, 100, 200], abs=15)
    assert world.states == [
        CircuitState.CLOSED,
        CircuitState.OPEN,
        CircuitState.HALF_OPEN,
        CircuitState.RAMP_10,
        CircuitState.RAMP_25,
        CircuitState.RAMP_50,
        CircuitState.CLOSED,
    ]


def test_one_call_a_second_can_close_it_too() -> None:
    world = _World()
    for _ in range(10):
        world.call(failed=True)
    world.passes(6.0, rate=1)
    world.passes(11.0, rate=1)
    assert world.state() is CircuitState.RAMP_10


def test_a_failing_probe_opens_it_for_twice_as_long_up_to_a_bound() -> None:
    world = _World()
    openings: list[float] = []
    for _ in range(12):
        while world.state() is not CircuitState.OPEN:
            world.call(failed=True)
            world.tick()
            world.now += _TICK
        openings.append(world.circuit.retry_after(world.now) + _TICK)
        world.now += openings[-1]
        world.tick()
    assert openings[:7] == pytest.approx([5, 10, 20, 40, 80, 160, 300], rel=0.01)
    assert openings[-1] == pytest.approx(300, rel=0.01)


def test_its_open_time_is_spread_by_a_fifth() -> None:
    for draw, seconds in ((0.0, 4.0), (1.0, 6.0)):
        world = _World(draw)
        world.passes(0.1, failed=True)
        assert world.circuit.retry_after(0.1) == pytest.approx(seconds, abs=0.05)


def test_probes_that_hang_open_it_again() -> None:
    world = _World(call_timeout=1.0)
    world.passes(0.1, failed=True)
    world.now += 5.0
    world.tick()
    assert not world.circuit.refuses(world.now)
    world.circuit.admitted(world.now)
    world.now += 1.9
    world.tick()
    assert world.state() is CircuitState.HALF_OPEN
    world.now += 0.2
    world.tick()
    assert world.state() is CircuitState.OPEN


def test_a_probe_that_proves_nothing_does_not_hang() -> None:
    world = _World(call_timeout=1.0)
    world.passes(0.1, failed=True)
    world.now += 5.0
    world.tick()
    world.circuit.admitted(world.now)
    world.circuit.withdrawn(world.circuit.generation)
    world.now += 9.0
    world.tick()
    assert world.state() is CircuitState.HALF_OPEN


def test_slow_probes_do_not_close_it() -> None:
    world = _World(slow_after=1.0)
    world.passes(0.1, failed=True)
    world.now += 5.0
    world.tick()
    world.passes(15.0, rate=1, elapsed=2.0)
    assert CircuitState.RAMP_10 not in world.states


def test_calls_begun_before_it_opened_do_not_count_as_probes() -> None:
    world = _World()
    generation = world.circuit.generation
    world.passes(0.1, failed=True)
    world.now += 5.0
    world.tick()
    for _ in range(100):
        world.circuit.ended(generation, 0.01, world.now, lambda: 0.5, failed=True)
    world.tick()
    assert world.state() is CircuitState.HALF_OPEN


def test_a_relapse_on_the_ramp_opens_it_for_longer() -> None:
    world = _World()
    world.passes(0.1, failed=True)
    world.passes(8.0)
    assert world.state() is CircuitState.RAMP_10
    world.passes(2.0, failed=True)
    assert world.state() is CircuitState.OPEN
    assert world.circuit.retry_after(world.now) > 7.0


@settings(max_examples=50)
@given(
    steps=st.lists(
        st.tuples(st.booleans(), st.sampled_from([0.01, 2.0]), st.sampled_from([0.01, 0.2, 3.0, 30.0])), max_size=300
    )
)
def test_it_moves_by_its_table_only_and_a_healthy_callee_is_served_in_the_end(
    steps: list[tuple[bool, float, float]],
) -> None:
    world = _World(slow_after=1.0)
    for failed, elapsed, later in steps:
        before = world.circuit.state
        world.now += later
        world.call(failed=failed, elapsed=elapsed)
        between = world.circuit.state
        world.tick()
        allowed = {after for (state, _), after in TRANSITIONS.items() if state is before} | {before}
        assert between in allowed
        assert 0.0 <= world.circuit.retry_after(world.now) <= 360.0
    world.passes(460.0, rate=2)
    assert world.state() is CircuitState.CLOSED


def test_a_guard_counts_failures_time_outs_and_neither_refusals_nor_what_says_nothing() -> None:
    clock = FakeClock()
    guard = Guard("orders", clock=clock, local=LocalBrakes(circuit=CircuitOptions()))
    for _ in range(30):
        guard().refused()
        guard().ignored()
        with pytest.raises(Rejected), guard():
            raise Rejected("another", "for a test", retry_after=0.0)
    assert guard.stats.local == LocalStats(queue_delay=0.0, cursor=511, circuit=CircuitState.CLOSED)
    for end in (Permit.failed, Permit.dropped) * 5:
        end(guard())
    answer = guard.try_admit()
    assert isinstance(answer, Refusal)
    assert (answer.brake, answer.reason) == (Brake.CIRCUIT, "the circuit breaker is open")
    assert 3.0 < answer.retry_after < 7.5
    assert guard.stats.local.circuit is CircuitState.OPEN


def test_an_exception_is_a_failure() -> None:
    guard = Guard("orders", local=LocalBrakes(circuit=CircuitOptions(in_a_row=2)))
    for _ in range(2):
        with pytest.raises(ConnectionError), guard():
            raise ConnectionError
    with pytest.raises(Rejected, match="the circuit breaker is open"):
        guard()
