"""The circuit breaker: a callee that fails is left alone, probed and loaded again by degrees; pure.

What leads from one state to the next is `TRANSITIONS`; whatever it does not name changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from math import inf
from types import MappingProxyType

from snowshed.consumers.brakes.circuit_evidence import CircuitEvidence, CircuitOptions, Probes
from snowshed.consumers.brakes.dither import Dither

__all__ = ["SHARES", "TRANSITIONS", "Circuit", "CircuitEvent", "CircuitState"]


class CircuitState(Enum):
    """How much of the traffic is let through."""

    CLOSED = "closed"
    """All of it."""
    OPEN = "open"
    """None."""
    HALF_OPEN = "half_open"
    """Probes."""
    RAMP_10 = "ramp_10"
    RAMP_25 = "ramp_25"
    RAMP_50 = "ramp_50"


class CircuitEvent(Enum):
    """What can happen."""

    TRIPPED = "tripped"
    """Too many calls failed or were slow."""
    RESTED = "rested"
    """The open time is over."""
    PROVEN = "proven"
    """The probes were answered well."""
    DISPROVEN = "disproven"
    """A probe failed too often or hung."""
    STEPPED = "stepped"
    """A step of the ramp went by without a trip."""


TRANSITIONS: Mapping[tuple[CircuitState, CircuitEvent], CircuitState] = MappingProxyType(
    {
        (CircuitState.CLOSED, CircuitEvent.TRIPPED): CircuitState.OPEN,
        (CircuitState.OPEN, CircuitEvent.RESTED): CircuitState.HALF_OPEN,
        (CircuitState.HALF_OPEN, CircuitEvent.PROVEN): CircuitState.RAMP_10,
        (CircuitState.HALF_OPEN, CircuitEvent.DISPROVEN): CircuitState.OPEN,
        (CircuitState.RAMP_10, CircuitEvent.STEPPED): CircuitState.RAMP_25,
        (CircuitState.RAMP_10, CircuitEvent.TRIPPED): CircuitState.OPEN,
        (CircuitState.RAMP_25, CircuitEvent.STEPPED): CircuitState.RAMP_50,
        (CircuitState.RAMP_25, CircuitEvent.TRIPPED): CircuitState.OPEN,
        (CircuitState.RAMP_50, CircuitEvent.STEPPED): CircuitState.CLOSED,
        (CircuitState.RAMP_50, CircuitEvent.TRIPPED): CircuitState.OPEN,
    }
)
"""The state after an event in a state."""

SHARES: Mapping[CircuitState, float] = MappingProxyType(
    {
        CircuitState.CLOSED: 1.0,
        CircuitState.OPEN: 0.0,
        CircuitState.HALF_OPEN: 0.0,
        CircuitState.RAMP_10: 0.1,
        CircuitState.RAMP_25: 0.25,
        CircuitState.RAMP_50: 0.5,
    }
)
"""The share of the calls that passes in a state; probes come on top."""

_RAMPING = frozenset({CircuitState.RAMP_10, CircuitState.RAMP_25, CircuitState.RAMP_50})
_JITTER = 0.2


class Circuit:
    """One scope's breaker.

    It opens for `open_for`·2ⁿ seconds, ±20 %, at most `open_at_most`, where n counts openings since it was last closed.
    What ends after the state has changed was begun under other conditions and counts for nothing: a call carries the
    `generation` it was admitted in.

    Args:
        options: the thresholds.
        now: the present, in seconds of the same clock as every later `now`.
    """

    __slots__ = (
        "_edge",
        "_evidence",
        "_openings",
        "_options",
        "_probes",
        "_slow_after",
        "_until",
        "generation",
        "is_closed",
        "state",
    )

    def __init__(self, options: CircuitOptions, now: float) -> None:
        self._options = options
        self._slow_after = inf if options.slow_after is None else options.slow_after
        self._evidence = CircuitEvidence(options, now)
        self._probes = Probes(options, now)
        self._edge = Dither()
        self._openings = 0
        self._until = inf
        self.state = CircuitState.CLOSED
        """Where it is in the table."""
        self.is_closed = True
        """Whether all calls pass; then neither `refuses` nor `admitted` need be asked."""
        self.generation = 0
        """Counts the changes of state."""

    def refuses(self, now: float) -> bool:
        """Whether a call is refused."""
        if self.is_closed:
            return False
        if self.state is CircuitState.HALF_OPEN:
            return self._probes.refuses(now)
        return self._edge.refuses()

    def admitted(self, now: float) -> None:
        """A call that was not refused is made."""
        if self.is_closed:
            return
        if self.state is CircuitState.HALF_OPEN:
            self._probes.admitted(now)
        else:
            self._edge.passed()

    def ended(self, generation: int, elapsed: float, now: float, draw: Callable[[], float], *, failed: bool) -> None:
        """A call of some generation has ended; `draw` gives a random number in [0, 1)."""
        if generation != self.generation:
            return
        slow = elapsed >= self._slow_after
        if self.is_closed and not failed and not slow:
            self._evidence.succeeded()
        elif self.state is CircuitState.HALF_OPEN:
            self._probes.ended(now, bad=failed, slow=slow)
        elif self._evidence.ended(failed=failed, slow=slow):
            self._happen(CircuitEvent.TRIPPED, now, draw())

    def withdrawn(self, generation: int) -> None:
        """A call of some generation has ended in a way that says nothing of the callee."""
        if generation == self.generation:
            self._probes.withdrawn()

    def tick(self, now: float, draw: Callable[[], float]) -> None:
        """Moves on where time or the evidence says so; to be called several times a second."""
        event = self._event(now)
        if event is not None:
            self._happen(event, now, draw())

    def retry_after(self, now: float) -> float:
        """Seconds until more calls may pass."""
        return max(0.0, self._until - now) if self._until < inf else 1.0

    def _event(self, now: float) -> CircuitEvent | None:
        if self.state is CircuitState.OPEN:
            return CircuitEvent.RESTED if now >= self._until else None
        if self.state is CircuitState.HALF_OPEN:
            verdict = self._probes.verdict(now)
            return None if verdict is None else (CircuitEvent.PROVEN if verdict else CircuitEvent.DISPROVEN)
        if self._evidence.trips(now):
            return CircuitEvent.TRIPPED
        return CircuitEvent.STEPPED if self.state in _RAMPING and now >= self._until else None

    def _happen(self, event: CircuitEvent, now: float, draw: float) -> None:
        state = TRANSITIONS[self.state, event]
        share, until, openings = SHARES[state], inf, self._openings
        if state is CircuitState.OPEN:
            until, openings = now + self._open_time(draw), openings + 1
        elif state is CircuitState.CLOSED:
            openings = 0
        elif state in _RAMPING:
            until = now + self._options.ramp_step
        probes = Probes(self._options, now)
        self._evidence.clear(now)
        # From here on without a call, at which an interrupt could break in: open without an end would stay so for ever.
        self._probes = probes
        self._edge.share = share
        self._until = until
        self._openings = openings
        self.generation += 1
        self.state = state
        self.is_closed = state is CircuitState.CLOSED

    def _open_time(self, draw: float) -> float:
        doubled = self._options.open_for * 2.0 ** min(self._openings, 60)
        return min(doubled, self._options.open_at_most) * (1.0 - _JITTER + 2 * _JITTER * draw)
