"""The brakes, one mechanism a module: pure, without locks, and given `now`."""

from snowshed.consumers.brakes.adaptive_timeout import AdaptiveTimeout, AdaptiveTimeoutOptions
from snowshed.consumers.brakes.breaker import trips
from snowshed.consumers.brakes.bulkhead import Bulkhead, BulkheadOptions
from snowshed.consumers.brakes.callee_cursor import CalleeCursor, CalleeCursorOptions
from snowshed.consumers.brakes.circuit import Circuit, CircuitState
from snowshed.consumers.brakes.circuit_evidence import CircuitOptions
from snowshed.consumers.brakes.concurrency_limit import ConcurrencyLimit, ConcurrencyLimitOptions
from snowshed.consumers.brakes.deadline import Deadline, DeadlineOptions
from snowshed.consumers.brakes.degrade import LEVELS, DegradeLevel, degrade_level, priority
from snowshed.consumers.brakes.leaky_bucket import LeakyBucket, LeakyBucketOptions
from snowshed.consumers.brakes.queue_delay import QueueDelay, QueueDelayOptions
from snowshed.consumers.brakes.rate_meter import RateMeter
from snowshed.consumers.brakes.retry_budget import RetryBudget
from snowshed.consumers.brakes.service_times import ServiceTimes
from snowshed.consumers.brakes.tenants import Tenants, TenantsOptions
from snowshed.consumers.brakes.throttle import Throttle, ThrottleOptions
from snowshed.consumers.brakes.token_bucket import TokenBucket
from snowshed.consumers.brakes.wait_line import Waiting, WaitLine

__all__ = [
    "LEVELS",
    "AdaptiveTimeout",
    "AdaptiveTimeoutOptions",
    "Bulkhead",
    "BulkheadOptions",
    "CalleeCursor",
    "CalleeCursorOptions",
    "Circuit",
    "CircuitOptions",
    "CircuitState",
    "ConcurrencyLimit",
    "ConcurrencyLimitOptions",
    "Deadline",
    "DeadlineOptions",
    "DegradeLevel",
    "LeakyBucket",
    "LeakyBucketOptions",
    "QueueDelay",
    "QueueDelayOptions",
    "RateMeter",
    "RetryBudget",
    "ServiceTimes",
    "Tenants",
    "TenantsOptions",
    "Throttle",
    "ThrottleOptions",
    "TokenBucket",
    "WaitLine",
    "Waiting",
    "degrade_level",
    "priority",
    "trips",
]
