"""Keeps the world current from Kafka."""

from __future__ import annotations

from threading import Lock

from snowshed.consumers import Delivery, Follower
from snowshed.schemas.codec import Codec
from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.topics import Topics
from snowshed.streams.web.world import View, World

__all__ = ["FollowedWorld"]

_FOLLOWED = ("health", "lag", "incidents", "decisions")


class FollowedWorld:
    """The world, followed in a background thread for as long as it is started.

    Args:
        connection: where Kafka is.
        topics: full names of the topics.
        codec: reads the messages; knows the embedded catalogue when left out.
    """

    def __init__(self, connection: KafkaConnection, topics: Topics, *, codec: Codec | None = None) -> None:
        self._world = World()
        self._lock = Lock()
        names = [topics.full(short) for short in _FOLLOWED]
        self._follower = Follower(connection, names, self._apply, codec=codec, name="page")

    def start(self) -> None:
        """Starts to follow; an absent broker is waited for."""
        self._follower.start()

    def stop(self) -> None:
        """Stops following; what is known stays."""
        self._follower.stop()

    @property
    def revision(self) -> int:
        """Grows with every change."""
        return self._world.revision

    @property
    def connected(self) -> bool:
        """Whether the broker answers."""
        return self._follower.connected

    @property
    def caught_up(self) -> bool:
        """Whether everything that existed at the start has been read."""
        return self._follower.caught_up.is_set()

    def view(self) -> View:
        """The world as it stands."""
        with self._lock:
            return self._world.view()

    def _apply(self, delivery: Delivery) -> None:
        with self._lock:
            self._world.apply(delivery)
