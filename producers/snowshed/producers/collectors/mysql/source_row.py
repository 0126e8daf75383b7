"""Writes the heartbeat row of a dataset at its source, after Percona Toolkit's pt-heartbeat."""

from __future__ import annotations

from collections.abc import Iterable

from snowshed.producers.collectors.base import Clock, Reading, RowWritten
from snowshed.producers.collectors.mysql.session import QueryFailed, Session
from snowshed.producers.collectors.mysql.source_log import SourceLog
from snowshed.schemas.errors import ConfigurationError
from snowshed.schemas.records import PositionUnit

__all__ = ["CREATE_DATABASE", "CREATE_TABLE", "SYSTEM", "SourceRow"]

SYSTEM = "mysql"
"""The `system` of markers taken here, for MySQL and MariaDB alike."""

CREATE_DATABASE = "CREATE DATABASE IF NOT EXISTS snowshed"
CREATE_TABLE = """\
CREATE TABLE IF NOT EXISTS snowshed.heartbeat (
  source VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin PRIMARY KEY,
  version BIGINT NOT NULL,
  written_at DOUBLE NOT NULL,
  writer VARCHAR(255) CHARACTER SET utf8mb4 NOT NULL,
  row_period DOUBLE NOT NULL
) ENGINE = InnoDB"""

_WRITE = """\
INSERT INTO snowshed.heartbeat (source, version, written_at, writer, row_period) VALUES (%s, 1, %s, %s, %s)
ON DUPLICATE KEY UPDATE version = version + 1, written_at = %s, writer = %s, row_period = %s"""
_WRITTEN = "SELECT version, {position} FROM snowshed.heartbeat WHERE source = %s"
_NO_TABLE = frozenset({1049, 1146})
_NO_PRIVILEGE = frozenset({1044, 1142, 1143, 1227})
_NOT_A_SOURCE = frozenset({1290, 1792, 1836})


class SourceRow:
    """Writes one row every `period` seconds and says so.

    Args:
        session: a connection to the source that may write.
        dataset: names the row.
        source: name of the source.
        writer: the node whose clock stamps the row.
        log: told what the source has committed.
        period: seconds between two rows.
    """

    def __init__(
        self, session: Session, *, dataset: str, source: str, writer: str, log: SourceLog, period: float
    ) -> None:
        self.name = f"mysql heartbeat row of {dataset}"
        self.period = period
        self._session = session
        self._dataset = dataset
        self._source = source
        self._writer = writer
        self._log = log

    def collect(self, clock: Clock) -> Iterable[Reading]:
        """Write the row, creating its table first if there is none.

        Raises:
            ServerUnavailable: the source does not answer or is read-only.
            ConfigurationError: the user may not write; the message has the statements to run.
        """
        try:
            return [self._write(clock)]
        except QueryFailed as error:
            if error.code in _NO_TABLE:
                self._create()
                return [self._write(clock)]
            raise self._diagnosed(error) from None

    def close(self) -> None:
        """Give up the connection."""
        self._session.close()

    def _write(self, clock: Clock) -> RowWritten:
        self._session.open()
        begun, written_at = clock.monotonic(), clock.wall()
        values = (written_at, self._writer, self.period)
        self._session.query(_WRITE, (self._dataset, *values, *values))
        took = clock.monotonic() - begun
        position = "@@GLOBAL.gtid_binlog_pos" if self._session.mariadb else "@@GLOBAL.gtid_executed"
        [(version, gtids)] = self._session.query(_WRITTEN.format(position=position), (self._dataset,))
        return RowWritten(
            dataset=self._dataset,
            source=self._source,
            system=SYSTEM,
            version=version,
            written_at=written_at,
            row_period=self.period,
            took=took,
            position=self._log.learn(gtids),
            unit=PositionUnit.TRANSACTIONS,
        )

    def _create(self) -> None:
        try:
            self._session.query(CREATE_DATABASE)
            self._session.query(CREATE_TABLE)
        except QueryFailed as error:
            raise self._diagnosed(error) from None

    def _diagnosed(self, error: QueryFailed) -> Exception:
        if error.code in _NO_PRIVILEGE:
            grant = "GRANT SELECT, INSERT, UPDATE ON snowshed.heartbeat TO <the agent's user>"
            return ConfigurationError(f"{error}. Run as an administrator: {CREATE_DATABASE}; {CREATE_TABLE}; {grant};")
        if error.code in _NOT_A_SOURCE:
            # Only a new connection finds whom the address leads to now.
            self._session.close()
            return QueryFailed(
                f"{error}. The source of {self._dataset} is read-only now: name the new source", error.code
            )
        return error
