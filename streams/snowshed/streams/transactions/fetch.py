"""Taking what a consumer has without waiting for more."""

from __future__ import annotations

from confluent_kafka import Consumer, Message

__all__ = ["fetch"]


def fetch(consumer: Consumer, limit: int, timeout: float) -> list[Message]:
    """Up to `limit` messages; waits at most `timeout` seconds for the first and not at all for the others.

    `Consumer.consume(limit, timeout)` alone would wait the whole time-out for the last of them.
    """
    first = consumer.poll(timeout)
    if first is None:
        return []
    return [first, *consumer.consume(limit - 1, 0)]
