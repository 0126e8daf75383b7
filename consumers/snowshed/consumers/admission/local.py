"""The local brakes of one scope in their order; pure.

::

    deadline → queue delay, own and the callee's → circuit breaker → bulkhead → tenants → concurrency limit → throttle

All of them refuse for free: what one refuses has used up nothing of the others, for a call is counted as made only
when the last brake of the Guard has let it pass.
"""

from __future__ import annotations

from collections.abc import Callable

from snowshed.consumers.admission.decided import Brake, Refusal
from snowshed.consumers.admission.flight import FlightBrakes
from snowshed.consumers.brakes.adaptive_timeout import AdaptiveTimeout
from snowshed.consumers.brakes.callee_cursor import CalleeCursor
from snowshed.consumers.brakes.circuit import Circuit
from snowshed.consumers.brakes.deadline import Deadline
from snowshed.consumers.brakes.queue_delay import QueueDelay
from snowshed.consumers.brakes.service_times import ServiceTimes
from snowshed.consumers.decisions.effective import Effective
from snowshed.consumers.local import LocalBrakes, LocalStats
from snowshed.consumers.permit import Outcome, Ticket
from snowshed.schemas.propagation import LOWEST_PRIORITY

__all__ = ["LocalAdmission"]

_LATER = 1.0


class LocalAdmission:
    """The state of one scope's local brakes: asked at every call, told of every end, ticked several times a second.

    Args:
        options: which brakes there are.
        draw: gives random numbers in [0, 1).
        now: the present, in seconds of the same clock as every later `now`.
    """

    __slots__ = (
        "_callee",
        "_circuit",
        "_deadline",
        "_draw",
        "_flight",
        "_queue",
        "_service",
        "_timeout",
        "generation",
        "timeout",
    )

    def __init__(self, options: LocalBrakes, draw: Callable[[], float], now: float) -> None:
        self._draw = draw
        timed = options.deadline is not None or options.timeout is not None
        self._service = ServiceTimes(options.service_window, now) if timed else None
        self._deadline = None if options.deadline is None else Deadline(options.deadline)
        self._timeout = None if options.timeout is None else AdaptiveTimeout(options.timeout)
        self._queue = None if options.queue is None else QueueDelay(options.queue, now)
        self._callee = None if options.callee_cursor is None else CalleeCursor(options.callee_cursor)
        self._circuit = None if options.circuit is None else Circuit(options.circuit, now)
        self._flight = FlightBrakes(options, draw, now) if options.bounds_flight else None
        self.generation = 0
        """The circuit breaker's, which a call carries to its end."""
        self.timeout: float | None = None
        """Seconds that a call may take by decision and by its history; None for as long as it likes."""

    @property
    def cursor(self) -> int:
        """The lowest priority of which anything is admitted."""
        return LOWEST_PRIORITY if self._queue is None else self._queue.cursor

    @property
    def concurrency(self) -> int | None:
        """Calls that may be in flight; None without a limit."""
        limit = None if self._flight is None else self._flight.limit
        return None if limit is None else int(limit)

    @property
    def service_time(self) -> float | None:
        """Median seconds of a call; None while it is not known."""
        return None if self._service is None else self._service.median

    @property
    def stats(self) -> LocalStats:
        """Where every brake stands."""
        queue, circuit, flight = self._queue, self._circuit, self._flight
        return LocalStats(
            service_time=self.service_time,
            timeout=None if self._timeout is None else self._timeout.seconds,
            queue_delay=None if queue is None else queue.delay,
            cursor=None if queue is None else queue.cursor,
            circuit=None if circuit is None else circuit.state,
            limit=None if flight is None else flight.limit,
            throttle=None if flight is None else flight.throttle,
        )

    def gave_up(self, queued_for: float) -> None:
        """A request has waited so long in vain."""
        if self._queue is not None:
            self._queue.gave_up(queued_for)

    def hear_cursor(self, cursor: int, now: float) -> None:
        """The callee has told which priorities it admits."""
        if self._callee is not None:
            self._callee.hear(cursor, now)

    def turns_away(self, level: int) -> Refusal | None:
        """A refusal for a request that need not wait, because its priority is refused at the end of the wait."""
        queue = self._queue
        return _too_low(queue) if queue is not None and queue.turns_away(level) else None

    def refuse(
        self, level: int, call: Ticket, remaining: float | None, queued_for: float, now: float
    ) -> Refusal | None:
        """The first brake's refusal; None when all let the call pass.

        Args:
            level: the call's priority.
            call: what its end will be told of.
            remaining: seconds until its deadline; None without one.
            queued_for: seconds it has waited.
            now: the present.
        """
        queue, deadline, circuit = self._queue, self._deadline, self._circuit
        # The queue brake hears of every wait, also of one that was too long for the call's deadline.
        is_low = queue is not None and queue.refuses(level, queued_for, remaining)
        if remaining is not None and deadline is not None and deadline.refuses(remaining):
            return _too_late(deadline, remaining)
        if is_low and queue is not None:
            return _too_low(queue)
        callee = self._callee
        if callee is not None and level > callee.cursor and callee.refuses(level, now):
            return Refusal(Brake.QUEUE, f"the callee admits priorities up to {callee.cursor}", _LATER)
        if circuit is not None and not circuit.is_closed and circuit.refuses(now):
            return Refusal(Brake.CIRCUIT, f"the circuit breaker is {circuit.state.value}", circuit.retry_after(now))
        return None if self._flight is None else self._flight.refuse(call)

    def admitted(self, level: int, call: Ticket, remaining: float | None, now: float) -> None:
        """A call that no brake refused is made."""
        queue, circuit = self._queue, self._circuit
        if queue is not None and queue.thins:
            queue.passed(level)
        if circuit is not None and not circuit.is_closed:
            circuit.admitted(now)
        if self._flight is not None:
            self._flight.admitted(call, remaining)

    def ended(self, call: Ticket, outcome: Outcome, failed: bool | None, elapsed: float, now: float) -> None:
        """A call has ended.

        Args:
            call: its ticket.
            outcome: what it says about the load.
            failed: what it says about the callee's health; None for nothing.
            elapsed: seconds it has taken.
            now: the present.
        """
        service, circuit = self._service, self._circuit
        # A refusal is quick and a time-out is cut off, so a dropped call counts only where it was longer than most.
        if service is not None and (
            outcome is Outcome.SUCCEEDED
            or (outcome is Outcome.DROPPED and service.median is not None and elapsed > service.median)
        ):
            service.add(elapsed)
        if circuit is not None:
            if failed is None:
                circuit.withdrawn(call[3])
            else:
                circuit.ended(call[3], elapsed, now, self._draw, failed=failed)
                self.generation = circuit.generation
        if self._flight is not None:
            self._flight.ended(call, outcome, elapsed)

    def forget(self) -> None:
        """Nothing will be heard of the calls in flight; a probe among them is taken to hang, and is made again."""
        if self._flight is not None:
            self._flight.forget()

    def tick(self, effective: Effective, now: float, slots: int | None = None) -> None:
        """Brings every brake up to date; to be called several times a second.

        Args:
            effective: what is in force.
            now: the present.
            slots: requests that the host serves at a time, where it knows.
        """
        frozen = bool(effective.decisions)
        if self._service is not None and self._service.roll(now):
            self._time(self._service, slots, frozen=frozen)
        timeouts = (effective.timeout, None if self._timeout is None else self._timeout.seconds)
        self.timeout = min((one for one in timeouts if one is not None), default=None)
        if self._queue is not None:
            self._queue.tick(now)
        if self._circuit is not None:
            self._circuit.tick(now, self._draw)
            self.generation = self._circuit.generation
        if self._flight is not None:
            self._flight.tick(effective, now, sheds=self._sheds)

    def _time(self, service: ServiceTimes, slots: int | None, *, frozen: bool) -> None:
        if self._queue is not None and service.mean is not None and slots is not None:
            self._queue.serve(slots, service.mean)
        if self._deadline is not None:
            self._deadline.tune(service.median)
        if self._timeout is not None:
            self._timeout.tune(service.p99, frozen=frozen)

    @property
    def _sheds(self) -> bool:
        queue = self._queue
        return queue is not None and (queue.is_overloaded or queue.cursor < LOWEST_PRIORITY)


def _too_late(deadline: Deadline, remaining: float) -> Refusal:
    reason = f"{max(0.0, remaining) * 1e3:.0f} ms are left of at least {deadline.needed * 1e3:.0f} ms that it takes"
    return Refusal(Brake.DEADLINE, reason, 0.0)


def _too_low(queue: QueueDelay) -> Refusal:
    reason = f"requests wait {queue.delay * 1e3:.0f} ms: priorities up to {queue.cursor} are admitted"
    return Refusal(Brake.QUEUE, reason, _LATER)
