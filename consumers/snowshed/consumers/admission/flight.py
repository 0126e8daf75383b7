"""The local brakes that go by the calls in flight, in their order; pure.

::

    bulkhead → tenants → concurrency limit → throttle
"""

from __future__ import annotations

from collections.abc import Callable

from snowshed.consumers.admission.decided import Brake, Refusal
from snowshed.consumers.brakes.bulkhead import Bulkhead
from snowshed.consumers.brakes.concurrency_limit import ConcurrencyLimit
from snowshed.consumers.brakes.tenants import Tenants
from snowshed.consumers.brakes.throttle import Throttle
from snowshed.consumers.decisions.effective import Effective
from snowshed.consumers.local import LocalBrakes
from snowshed.consumers.permit import Outcome, Ticket
from snowshed.schemas.propagation import LOWEST_PRIORITY
from snowshed.schemas.records import DecisionKind

__all__ = ["FlightBrakes"]

_SOON = 0.1
_LATER = 1.0
_CUTTING = frozenset({DecisionKind.RATE, DecisionKind.BREAKER})


class FlightBrakes:
    """What must hear of every call's end.

    Args:
        options: which brakes there are.
        draw: gives random numbers in [0, 1).
        now: the present, in seconds of the same clock as every later `now`.
    """

    __slots__ = ("_bulkhead", "_draw", "_limit", "_tenants", "_throttle")

    def __init__(self, options: LocalBrakes, draw: Callable[[], float], now: float) -> None:
        self._draw = draw
        self._bulkhead = None if options.bulkhead is None else Bulkhead(options.bulkhead)
        self._tenants = None if options.tenants is None else Tenants(options.tenants)
        self._limit = None if options.limit is None else ConcurrencyLimit(options.limit, now)
        self._throttle = None if options.throttle is None else Throttle(options.throttle, now)

    @property
    def limit(self) -> float | None:
        """Calls that may be in flight; None without a limit."""
        return None if self._limit is None else self._limit.limit

    @property
    def throttle(self) -> float | None:
        """Probability with which the throttle refuses; None without one."""
        return None if self._throttle is None else self._throttle.probability

    def refuse(self, call: Ticket) -> Refusal | None:
        """The first brake's refusal; None when all let the call pass."""
        operation, criticality, tenant, _ = call
        bulkhead, tenants, limit, throttle = self._bulkhead, self._tenants, self._limit, self._throttle
        if bulkhead is not None and bulkhead.refuses(operation, criticality):
            return Refusal(Brake.BULKHEAD, "too many calls of this operation or class in flight", _SOON)
        if tenants is not None and tenants.is_overloaded and tenants.refuses(tenant):
            return Refusal(Brake.TENANT, f"{tenant} has more than its share of the calls in flight", _SOON)
        if limit is not None and limit.refuses(criticality):
            return Refusal(Brake.LIMIT, f"more than {int(limit.limit)} calls in flight", _SOON)
        if throttle is not None and throttle.probability and throttle.refuses(self._draw()):
            return Refusal(Brake.THROTTLE, f"the throttle refuses {throttle.probability:.0%} of calls", _LATER)
        return None

    def admitted(self, call: Ticket, remaining: float | None) -> None:
        """A call is made that has so many seconds left; None without a deadline."""
        if self._bulkhead is not None:
            self._bulkhead.admitted(call[0], call[1])
        if self._tenants is not None:
            self._tenants.admitted(call[2])
        if self._limit is not None:
            self._limit.admitted(remaining)
        if self._throttle is not None:
            self._throttle.begun += 1

    def ended(self, call: Ticket, outcome: Outcome, elapsed: float) -> None:
        """A call has ended after so many seconds."""
        if self._bulkhead is not None:
            self._bulkhead.ended(call[0], call[1])
        if self._tenants is not None:
            self._tenants.ended(call[2])
        limit, throttle = self._limit, self._throttle
        if outcome is Outcome.DROPPED:
            if throttle is not None:
                throttle.dropped()
            if limit is not None:
                limit.dropped()
            return
        if throttle is not None:
            throttle.accepted()
        if limit is not None:
            if outcome is Outcome.SUCCEEDED:
                limit.succeeded(elapsed)
            else:
                limit.ignored()

    def forget(self) -> None:
        """Nothing will be heard of the calls in flight."""
        if self._bulkhead is not None:
            self._bulkhead.forget()
        if self._tenants is not None:
            self._tenants.forget()
        if self._limit is not None:
            self._limit.in_flight = 0
        if self._throttle is not None:
            self._throttle.forget()

    def tick(self, effective: Effective, now: float, *, sheds: bool) -> None:
        """Brings every brake up to date; `sheds` when requests are being refused for their priority."""
        limit = self._limit
        if limit is not None:
            limit.tick(now, frozen=_cuts(effective))
        if self._throttle is not None:
            self._throttle.tick(now, overloaded=effective.degrade_level > 0)
        if self._tenants is not None:
            self._tenants.is_overloaded = sheds or (limit is not None and limit.in_flight + 1 > limit.limit)


def _cuts(effective: Effective) -> bool:
    """Whether a decision cuts what comes in: what is left is answered sooner than usual.

    Under others, latencies may have risen for good, as behind a cold cache; a baseline that does not follow them takes
    them for a queue, and closes the limit on a callee that is well.
    """
    sheds = effective.lowest_priority < LOWEST_PRIORITY
    return sheds or any(one.decision.kind in _CUTTING for one in effective.decisions)
