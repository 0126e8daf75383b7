"""Writes the marker key of a dataset at its source: what pt-heartbeat's row is to a relational database."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from snowshed.producers.collectors.base import Clock, Reading, RowWritten
from snowshed.producers.collectors.position import SourcePosition
from snowshed.producers.collectors.redis.session import CommandFailed, Session, heartbeat_key

__all__ = ["SYSTEM", "SourceKey"]

SYSTEM = "redis"
"""The `system` of markers taken here."""


class SourceKey:
    """Writes the key every `period` seconds and says so.

    Args:
        session: a connection to the source.
        dataset: names the key.
        source: name of the source.
        writer: the node whose clock stamps the key.
        position: told how far the source's replication stream has come.
        period: seconds between two writes.
    """

    def __init__(
        self, session: Session, *, dataset: str, source: str, writer: str, position: SourcePosition, period: float
    ) -> None:
        self.name = f"redis heartbeat key of {dataset}"
        self.period = period
        self._session = session
        self._dataset = dataset
        self._source = source
        self._writer = writer
        self._position = position

    def collect(self, clock: Clock) -> Iterable[Reading]:
        """Write the key.

        Raises:
            ServerUnavailable: the source does not answer or is a replica.
            ConfigurationError: the user may not write; the message has the command to run.
        """
        self._session.run(("PING",))  # connects, so that the write takes no longer than its answer
        begun, written_at = clock.monotonic(), clock.wall()
        version, info = self._write(written_at)
        took = clock.monotonic() - begun
        return [
            RowWritten(
                dataset=self._dataset,
                source=self._source,
                system=SYSTEM,
                version=version,
                written_at=written_at,
                row_period=self.period,
                took=took,
                position=self._position.learn(float(info["master_repl_offset"])),
            )
        ]

    def close(self) -> None:
        """Give up the connection."""
        self._session.close()

    def _write(self, written_at: float) -> tuple[int, Any]:
        key = heartbeat_key(self._dataset)
        values = ("written_at", repr(written_at), "writer", self._writer, "row_period", repr(self.period))
        try:
            version, _ = self._session.run(("HINCRBY", key, "version", 1), ("HSET", key, *values), together=True)
        except CommandFailed as error:
            if error.code != "READONLY":
                raise
            # Only a new connection finds whom the address leads to now.
            self._session.close()
            message = f"{error}. The source of {self._dataset} is a replica now: name the new source"
            raise CommandFailed(message, error.code) from None
        [info] = self._session.run(("INFO", "replication"))
        return version, info
