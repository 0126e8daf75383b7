"""Where runs take place: the brokers, opened at their first use and kept for later runs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from snowshed.schemas.connection import KafkaConnection
from snowshed.streams.broker import LocalKafka

__all__ = ["Arena", "Arenas", "Single"]

SHORT_SESSIONS = {
    "group.min.session.timeout.ms": "500",
    "group.consumer.min.session.timeout.ms": "500",
    "group.consumer.session.timeout.ms": "2000",
    "group.consumer.heartbeat.interval.ms": "500",
    "message.max.bytes": "1100000",
}
"""So short that a busy machine alone makes members drop out now and then, which is all the better here."""


@dataclass(frozen=True, slots=True)
class Arena:
    """Brokers that a run may use."""

    connection: KafkaConnection
    replication: int = 1


@dataclass(frozen=True, slots=True)
class Single(Arena):
    """One broker, which may be killed."""

    broker: LocalKafka = None  # type: ignore[assignment]


class Arenas:
    """All arenas of a session.

    Args:
        stack: closes them.
        folder: keeps brokers' data.
        tell: progress.
    """

    def __init__(self, stack: ExitStack, folder: Path, tell: Callable[[str], None]) -> None:
        self._stack, self._folder, self._tell = stack, folder, tell
        self._single: Single | None = None

    def single(self) -> Single:
        """One broker."""
        if self._single is None:
            self._tell("starting one broker")
            broker = self._stack.enter_context(LocalKafka(self._folder / "single", extra=SHORT_SESSIONS))
            self._single = Single(KafkaConnection(broker.bootstrap), 1, broker)
        return self._single
