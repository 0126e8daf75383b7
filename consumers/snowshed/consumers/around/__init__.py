"""What surrounds a guarded call: retries, hedging, one call for many, and answers that may be stale."""

from snowshed.consumers.around.async_single_flight import AsyncSingleFlight
from snowshed.consumers.around.backoff import Backoff
from snowshed.consumers.around.freshness import Cached
from snowshed.consumers.around.hedging import HedgeEvent, hedging
from snowshed.consumers.around.retrying import RetryEvent, retrying
from snowshed.consumers.around.single_flight import SingleFlight
from snowshed.consumers.around.stale_cache import AsyncStaleCache, StaleCache

__all__ = [
    "AsyncSingleFlight",
    "AsyncStaleCache",
    "Backoff",
    "Cached",
    "HedgeEvent",
    "RetryEvent",
    "SingleFlight",
    "StaleCache",
    "hedging",
    "retrying",
]
