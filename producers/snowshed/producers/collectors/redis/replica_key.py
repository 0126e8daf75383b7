"""Reads the marker key of a dataset at a replica, and what the replica says of its link."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import nan
from typing import Any

from snowshed.producers._log import ForkSafeLog
from snowshed.producers.collectors.base import Clock, Reading, RowSeen
from snowshed.producers.collectors.position import SourcePosition
from snowshed.producers.collectors.redis.session import Session, heartbeat_key
from snowshed.producers.collectors.redis.source_key import SYSTEM
from snowshed.schemas.errors import ServerUnavailable

__all__ = ["ReplicaKey", "applied", "link"]

_log = ForkSafeLog()


def applied(info: Mapping[str, Any]) -> float:
    """Bytes of the replication stream that a server has processed, from INFO; NaN if it does not say."""
    return float(info.get("slave_repl_offset", info.get("master_repl_offset", nan)))


def link(info: Mapping[str, Any]) -> str:
    """State of a replica's link to its source, from INFO: `up`, `down`, or `none` for a server that follows nobody."""
    return str(info.get("master_link_status", "none"))


class ReplicaKey:
    """Reads the key every `period` seconds; while it cannot, there is no reading, because absence is a fact.

    Args:
        session: a connection to the replica.
        dataset: names the key.
        replica: name of the replica.
        position: knows how far the source's replication stream has come.
        period: seconds between two polls.
    """

    def __init__(
        self, session: Session, *, dataset: str, replica: str, position: SourcePosition, period: float
    ) -> None:
        self.name = f"redis replica {dataset}/{replica}"
        self.period = period
        self._session = session
        self._dataset = dataset
        self._replica = replica
        self._position = position
        self._link = ""

    def collect(self, clock: Clock) -> Iterable[Reading]:
        """Read the key once.

        Raises:
            ServerUnavailable: the replica does not answer, or no key has reached it yet.
            ConfigurationError: the user may not read; the message has the command to run.
        """
        row, info = self._session.run(("HGETALL", heartbeat_key(self._dataset)), ("INFO", "replication"))
        seen_at = clock.wall()
        self._note(info)
        if not row:
            raise ServerUnavailable(f"replica {self._dataset}/{self._replica} shows no heartbeat key yet")
        return [
            RowSeen(
                dataset=self._dataset,
                replica=self._replica,
                system=SYSTEM,
                version=int(row["version"]),
                writer=row["writer"],
                written_at=float(row["written_at"]),
                seen_at=seen_at,
                row_period=float(row["row_period"]),
                poll_period=self.period,
                position=applied(info),
                source_position=self._position.value,
            )
        ]

    def close(self) -> None:
        """Give up the connection."""
        self._session.close()

    def _note(self, info: Mapping[str, Any]) -> None:
        state = link(info)
        if state != self._link:
            _log.info(
                "redis_link_changed",
                dataset=self._dataset,
                replica=self._replica,
                before=self._link or "unknown",
                after=state,
                last_io=info.get("master_last_io_seconds_ago"),
            )
        self._link = state
