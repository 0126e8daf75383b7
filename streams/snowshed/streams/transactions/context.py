"""What the lanes of a worker share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from snowshed.schemas.codec import Codec
from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.topics import Topics
from snowshed.streams.transactions.events import LaneWatcher
from snowshed.streams.transactions.judge import Judge
from snowshed.streams.transactions.producer import LaneProducer, NewProducer
from snowshed.streams.transactions.restore import Restorer

__all__ = ["LaneContext", "LaneLimits"]


@dataclass(frozen=True, slots=True)
class LaneLimits:
    """Bounds on what a lane holds and does at a time."""

    batch: int = 5_000
    """Messages in one transaction."""
    buffer: int = 20_000
    """Waiting messages at which the partition pauses."""
    buffer_bytes: int = 16 * 1024 * 1024
    """Bytes of waiting messages at which the partition pauses: a worker may hold dozens of them."""
    tick: float = 0.2
    """Seconds between ticks of an idle lane."""
    transaction_timeout: float = 10.0
    checkpoint: float = 900.0
    """Seconds of the log's time between two checkpoints of a lane's state, 0 for none."""


@dataclass(frozen=True, slots=True)
class LaneContext:
    """What all lanes of a worker share."""

    connection: KafkaConnection
    topics: Topics
    codec: Codec
    app: str
    restorer: Restorer
    judge: Judge
    watcher: LaneWatcher
    limits: LaneLimits
    group: Callable[[], Any]
    """The consumer's current group metadata."""
    fatal: Callable[[str], None]
    """Called when this process must leave."""
    new_producer: NewProducer = LaneProducer
    """Makes the producer of each lane."""
