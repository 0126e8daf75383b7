"""Writes the heartbeat row of a dataset at its source.

A replica shows the row as it shows everything else, so the age of the row that can be read there bounds how stale the
replica is, whatever replication says of itself. The idea is Percona Toolkit's pt-heartbeat; Kafka's append times
replace its synchronised clocks.
"""

from __future__ import annotations

from collections.abc import Iterable

from snowshed.producers.collectors.base import Clock, Reading, RowWritten
from snowshed.producers.collectors.position import SourcePosition
from snowshed.producers.collectors.postgres.lsn import lsn_bytes
from snowshed.producers.collectors.postgres.session import QueryFailed, Session
from snowshed.schemas.errors import ConfigurationError

__all__ = ["CREATE_TABLE", "SYSTEM", "WRITER_SETTINGS", "SourceRow"]

SYSTEM = "postgresql"
"""The `system` of markers taken here."""

WRITER_SETTINGS = {"lock_timeout": "1s", "synchronous_commit": "local"}
"""The row waits for no standby, which may be gone; `off` would keep it from the standbys until the next flush."""

CREATE_TABLE = """\
CREATE TABLE IF NOT EXISTS snowshed.heartbeat (
  source text PRIMARY KEY,
  version bigint NOT NULL,
  written_at double precision NOT NULL,
  writer text NOT NULL,
  row_period double precision NOT NULL
) WITH (fillfactor = 10)"""
"""One row a dataset, in a page with room for its versions, so that writing it never touches the index."""

_CREATE_SCHEMA = "CREATE SCHEMA IF NOT EXISTS snowshed"
_WRITE = """\
INSERT INTO snowshed.heartbeat AS row (source, version, written_at, writer, row_period)
VALUES (%s, 1, %s, %s, %s)
ON CONFLICT (source) DO UPDATE SET version = row.version + 1, written_at = excluded.written_at,
  writer = excluded.writer, row_period = excluded.row_period
RETURNING version, pg_current_wal_lsn()::text"""
_NO_TABLE = frozenset({"42P01", "3F000"})
_NO_PRIVILEGE = "42501"
_NOT_A_SOURCE = frozenset({"25006", "55000"})


class SourceRow:
    """Writes one row every `period` seconds and says so.

    Args:
        session: a connection to the primary that may write.
        dataset: names the row.
        source: name of the primary.
        writer: the node whose clock stamps the row.
        position: told how far the primary's log has come.
        period: seconds between two rows.
    """

    def __init__(
        self, session: Session, *, dataset: str, source: str, writer: str, position: SourcePosition, period: float
    ) -> None:
        self.name = f"postgres heartbeat row of {dataset}"
        self.period = period
        self._session = session
        self._dataset = dataset
        self._source = source
        self._writer = writer
        self._position = position

    def collect(self, clock: Clock) -> Iterable[Reading]:
        """Write the row, creating its table first if there is none.

        Raises:
            ServerUnavailable: the primary does not answer or is no primary.
            ConfigurationError: the role may not write; the message has the statements to run.
        """
        try:
            return [self._write(clock)]
        except QueryFailed as error:
            if error.sqlstate in _NO_TABLE:
                self._create()
                return [self._write(clock)]
            raise self._diagnosed(error) from None

    def close(self) -> None:
        """Give up the connection."""
        self._session.close()

    def _write(self, clock: Clock) -> RowWritten:
        self._session.open()
        begun, written_at = clock.monotonic(), clock.wall()
        [(version, position)] = self._session.query(_WRITE, (self._dataset, written_at, self._writer, self.period))
        took = clock.monotonic() - begun
        return RowWritten(
            dataset=self._dataset,
            source=self._source,
            system=SYSTEM,
            version=version,
            written_at=written_at,
            row_period=self.period,
            took=took,
            position=self._position.learn(lsn_bytes(position)),
        )

    def _create(self) -> None:
        try:
            if not self._session.query("SELECT 1 FROM pg_namespace WHERE nspname = 'snowshed'"):
                self._session.query(_CREATE_SCHEMA)
            self._session.query(CREATE_TABLE)
        except QueryFailed as error:
            raise self._diagnosed(error) from None

    def _diagnosed(self, error: QueryFailed) -> Exception:
        if error.sqlstate == _NO_PRIVILEGE:
            return ConfigurationError(f"{error}. {self._remedy()}")
        if error.sqlstate in _NOT_A_SOURCE:
            # Only a new connection asks again which of the listed servers is the primary.
            self._session.close()
            return QueryFailed(
                f"{error}. The primary of {self._dataset} is a standby now: name the new primary, or list all servers "
                "in its connection string with target_session_attrs=read-write",
                error.sqlstate,
            )
        return error

    def _remedy(self) -> str:
        [(role, database)] = self._session.query("SELECT quote_ident(current_user), quote_ident(current_database())")
        grants = (
            f"GRANT USAGE ON SCHEMA snowshed TO {role}; GRANT SELECT, INSERT, UPDATE ON snowshed.heartbeat TO {role}"
        )
        return f"Run as the owner of database {database}: {_CREATE_SCHEMA}; {CREATE_TABLE}; {grants};"
