"""Taking messages from a consumer without a wait that a wall clock set back could prolong.

librdkafka waits until a time of day (glibc's `cnd_timedwait`). A clock that is set back by a minute while it waits
keeps the caller for that minute: a worker would neither read nor stop, and a Guard would hear of no decision. So the
client is only asked what is there, and the time between two questions is slept by the monotonic clock.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from confluent_kafka import Consumer, Message

__all__ = ["fetch", "poll"]

_FIRST_PAUSE, _LONGEST_PAUSE = 0.002, 0.016


def poll(consumer: Consumer, timeout: float) -> Message | None:
    """The next message; None when none arrives within `timeout` seconds."""
    until = time.monotonic() + timeout
    pause = _FIRST_PAUSE
    while (message := consumer.poll(0)) is None and (left := until - time.monotonic()) > 0:
        time.sleep(min(pause, left))
        pause = min(2 * pause, _LONGEST_PAUSE)
    return message


def fetch(consumer: Consumer, limit: int, timeout: float) -> list[Message]:
    """Up to `limit` messages; waits at most `timeout` seconds for the first and not at all for the others."""
    first = poll(consumer, timeout)
    return [] if first is None else [first, *consumer.consume(limit - 1, 0)]
