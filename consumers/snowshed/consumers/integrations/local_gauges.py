"""Where the local brakes stand, as the gauges that integrations export."""

from __future__ import annotations

from collections.abc import Callable

from snowshed.consumers.local import LocalStats

__all__ = ["LOCAL_GAUGES"]

LOCAL_GAUGES: tuple[tuple[str, str, Callable[[LocalStats], float | None]], ...] = (
    ("service_time_seconds", "Median time of a call lately.", lambda local: local.service_time),
    ("timeout_seconds", "Time that calls may take, by their own history.", lambda local: local.timeout),
    ("queue_delay_seconds", "Mean wait of the requests in the last window.", lambda local: local.queue_delay),
    ("cursor", "The lowest priority that queue delay lets pass, 0 to 511.", lambda local: local.cursor),
    ("concurrency_limit", "Calls that may be in flight.", lambda local: local.limit),
    ("throttle", "Probability with which the throttle refuses a call.", lambda local: local.throttle),
)
"""Name, description and how it is read; None where there is no such brake or nothing is known yet."""
