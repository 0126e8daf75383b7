"""The brakes, one mechanism a module: pure, without locks, and given `now`."""

from snowshed.consumers.brakes.breaker import trips
from snowshed.consumers.brakes.degrade import LEVELS, LOWEST_PRIORITY, DegradeLevel, degrade_level, priority
from snowshed.consumers.brakes.rate_meter import RateMeter
from snowshed.consumers.brakes.retry_budget import RetryBudget
from snowshed.consumers.brakes.token_bucket import TokenBucket

__all__ = [
    "LEVELS",
    "LOWEST_PRIORITY",
    "DegradeLevel",
    "RateMeter",
    "RetryBudget",
    "TokenBucket",
    "degrade_level",
    "priority",
    "trips",
]
