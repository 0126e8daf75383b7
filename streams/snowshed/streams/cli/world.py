"""The state of the fleet, read from the compacted topics for commands that show it."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager

from snowshed.schemas.errors import BrokerUnavailable
from snowshed.schemas.topics import Topics
from snowshed.streams.cli.options import connection_to
from snowshed.streams.cli.reaching import require_topics
from snowshed.streams.web import FollowedWorld

__all__ = ["followed"]

_PATIENCE = 20.0
_LOOK = 0.02


@contextmanager
def followed(bootstrap: str, prefix: str) -> Generator[FollowedWorld]:
    """The world, followed from a moment at which everything that existed is known.

    Raises:
        BrokerUnavailable: no broker answered, or the topics could not be read to their ends.
        ConfigurationError: the topics do not exist.
    """
    connection, topics = connection_to(bootstrap), Topics(prefix)
    require_topics(connection, topics, "health", "lag", "incidents", "decisions")
    world = FollowedWorld(connection, topics)
    world.start()
    try:
        deadline = time.monotonic() + _PATIENCE
        while not world.caught_up:
            if time.monotonic() > deadline:
                raise BrokerUnavailable(
                    f"the topics of {bootstrap} could not be read to their ends within {_PATIENCE:.0f} s: "
                    "see `snowshed doctor`"
                )
            time.sleep(_LOOK)
        yield world
    finally:
        world.stop()
