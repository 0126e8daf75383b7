"""A program that follows a topic: `python -m tests.support.follower_child HOST:PORT TOPIC`.

It answers each line with the monotonic time at which everything in the topic was last known to be applied.
"""

from __future__ import annotations

import sys

import structlog

from snowshed.consumers import Follower
from snowshed.schemas.connection import KafkaConnection


def main(bootstrap: str, topic: str) -> None:
    """Follow, and answer until the input ends."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    follower = Follower(KafkaConnection(bootstrap), [topic], lambda _: None)
    follower.start()
    for _ in sys.stdin:
        print(follower.last_progress, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
