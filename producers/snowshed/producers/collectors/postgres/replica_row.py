"""Reads the heartbeat row of a dataset at a replica."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from snowshed.producers.collectors.base import Clock, Reading, RowSeen
from snowshed.producers.collectors.position import SourcePosition
from snowshed.producers.collectors.postgres.lsn import lsn_bytes
from snowshed.producers.collectors.postgres.session import QueryFailed, Session
from snowshed.producers.collectors.postgres.source_row import SYSTEM
from snowshed.schemas.errors import ConfigurationError, ServerUnavailable

__all__ = ["READER_SETTINGS", "ReplicaRow"]

READER_SETTINGS = {"default_transaction_read_only": "on"}

_READ = """\
SELECT version, written_at, writer, row_period,
  pg_last_wal_receive_lsn()::text, pg_last_wal_replay_lsn()::text
FROM snowshed.heartbeat WHERE source = %s"""
_NO_TABLE = frozenset({"42P01", "3F000"})
_NO_PRIVILEGE = "42501"


class ReplicaRow:
    """Reads the row every `period` seconds; while it cannot, there is no reading, because absence is a fact.

    Args:
        session: a connection to the replica.
        dataset: names the row.
        replica: name of the replica.
        position: knows how far the source's log has come.
        period: seconds between two polls.
    """

    def __init__(
        self, session: Session, *, dataset: str, replica: str, position: SourcePosition, period: float
    ) -> None:
        self.name = f"postgres replica {dataset}/{replica}"
        self.period = period
        self._session = session
        self._dataset = dataset
        self._replica = replica
        self._position = position

    def collect(self, clock: Clock) -> Iterable[Reading]:
        """Read the row once.

        Raises:
            ServerUnavailable: the replica does not answer, or no row has reached it yet.
            ConfigurationError: the role may not read the row; the message has the statement to run.
        """
        rows = self._read()
        seen_at = clock.wall()
        if not rows:
            raise ServerUnavailable(f"replica {self._dataset}/{self._replica} shows no heartbeat row yet")
        [(version, written_at, writer, row_period, received, applied)] = rows
        # What the replica has received, its source must have written.
        known = self._position.learn(lsn_bytes(received))
        return [
            RowSeen(
                dataset=self._dataset,
                replica=self._replica,
                system=SYSTEM,
                version=version,
                writer=writer,
                written_at=written_at,
                seen_at=seen_at,
                row_period=row_period,
                poll_period=self.period,
                position=lsn_bytes(applied),
                source_position=known,
            )
        ]

    def close(self) -> None:
        """Give up the connection."""
        self._session.close()

    def _read(self) -> list[tuple[Any, ...]]:
        try:
            return self._session.query(_READ, (self._dataset,))
        except QueryFailed as error:
            if error.sqlstate in _NO_TABLE:
                return []
            if error.sqlstate == _NO_PRIVILEGE:
                raise ConfigurationError(f"{error}. {self._remedy()}") from None
            raise

    def _remedy(self) -> str:
        [(role,)] = self._session.query("SELECT quote_ident(current_user)")
        return (
            "Run at the primary: GRANT USAGE ON SCHEMA snowshed TO "
            f"{role}; GRANT SELECT ON snowshed.heartbeat TO {role};"
        )
