"""Which local brakes a Guard has: they need no control plane."""

from __future__ import annotations

from dataclasses import dataclass, field

from snowshed.consumers.brakes.adaptive_timeout import AdaptiveTimeoutOptions
from snowshed.consumers.brakes.bounds import check
from snowshed.consumers.brakes.bulkhead import BulkheadOptions
from snowshed.consumers.brakes.callee_cursor import CalleeCursorOptions
from snowshed.consumers.brakes.circuit import CircuitState
from snowshed.consumers.brakes.circuit_evidence import CircuitOptions
from snowshed.consumers.brakes.concurrency_limit import ConcurrencyLimitOptions
from snowshed.consumers.brakes.deadline import DeadlineOptions
from snowshed.consumers.brakes.leaky_bucket import LeakyBucketOptions
from snowshed.consumers.brakes.queue_delay import QueueDelayOptions
from snowshed.consumers.brakes.tenants import TenantsOptions
from snowshed.consumers.brakes.throttle import ThrottleOptions

__all__ = ["LocalBrakes", "LocalStats"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalBrakes:
    """The local brakes of a Guard, each with its options; None switches one off.

    By itself a Guard has those that act only on what its host tells it: deadlines and queue delays. The rest refuse
    calls by what they measure, and stand only where they are asked for.
    """

    deadline: DeadlineOptions | None = field(default_factory=DeadlineOptions)
    """Refuses what cannot be finished in time."""
    queue: QueueDelayOptions | None = field(default_factory=QueueDelayOptions)
    """Refuses the lowest priorities while requests wait too long."""
    callee_cursor: CalleeCursorOptions | None = None
    """Does not send what the callee says it sheds."""
    circuit: CircuitOptions | None = None
    """Leaves a failing callee alone."""
    bulkhead: BulkheadOptions | None = None
    """Bounds the calls in flight by operation and class."""
    tenants: TenantsOptions | None = None
    """Bounds a tenant's calls in flight under overload."""
    limit: ConcurrencyLimitOptions | None = None
    """Bounds the calls in flight by what the callee serves without a queue."""
    throttle: ThrottleOptions | None = None
    """Sends less to a callee that refuses."""
    pace: LeakyBucketOptions | None = None
    """Keeps calls at even distances."""
    timeout: AdaptiveTimeoutOptions | None = None
    """Bounds `Permit.timeout`, which the integrations' clients obey; refuses nothing. For guards whose calls all take
    about as long, and callees that drop what nobody waits for any more."""
    service_window: float = 10.0
    """Seconds after which service times are replaced by newer ones, for `deadline` and `timeout`."""

    def __post_init__(self) -> None:
        check(self, above=True, service_window=self.service_window)

    @property
    def bounds_flight(self) -> bool:
        """Whether any of them goes by the calls in flight."""
        return any(one is not None for one in (self.bulkhead, self.tenants, self.limit, self.throttle))

    @classmethod
    def off(cls) -> LocalBrakes:
        """None of them."""
        return cls(deadline=None, queue=None)

    @classmethod
    def for_callers(cls) -> LocalBrakes:
        """What becomes a client: the callee's cursor and a concurrency limit of 20 and more beside the defaults.

        The limit is there for what hangs; where a callee has queues, its own brakes see them better. Circuit breaker
        and throttle remember failures for longer than a callee is ill, and in layers breakers keep each other open
        (docs/adr/0010): they are for callees that nothing else protects.
        """
        return cls(callee_cursor=CalleeCursorOptions(), limit=ConcurrencyLimitOptions(smallest=20))

    @classmethod
    def for_services(cls) -> LocalBrakes:
        """What becomes a server with a `WaitQueue`: concurrency limit, tenant cap, and the defaults.

        No work is begun either that usually takes longer than is left.
        """
        return cls(deadline=DeadlineOptions(share=1.0), limit=ConcurrencyLimitOptions(), tenants=TenantsOptions())


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalStats:
    """Where the local brakes stand; None for what is off or not known yet."""

    service_time: float | None = None
    """Median seconds of a call."""
    timeout: float | None = None
    """Seconds that calls may take, by their own history."""
    queue_delay: float | None = None
    """Mean seconds that requests waited in the last window."""
    cursor: int | None = None
    """The lowest priority of which anything is admitted, 0 to 511."""
    circuit: CircuitState | None = None
    limit: float | None = None
    """Calls that may be in flight."""
    throttle: float | None = None
    """Probability with which a call is refused."""
