"""Reads the heartbeat row of a dataset at a replica."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from snowshed.producers.collectors.base import Clock, Reading, RowSeen
from snowshed.producers.collectors.mysql.gtid import transactions
from snowshed.producers.collectors.mysql.session import QueryFailed, Session
from snowshed.producers.collectors.mysql.source_log import Committed, SourceLog
from snowshed.producers.collectors.mysql.source_row import SYSTEM
from snowshed.schemas.errors import ConfigurationError, ServerUnavailable
from snowshed.schemas.records import PositionUnit

__all__ = ["ReplicaRow"]

_READ = "SELECT version, written_at, writer, row_period, {gtids} FROM snowshed.heartbeat WHERE source = %s"
_APPLIED = "@@GLOBAL.gtid_slave_pos"
# A replica may have transactions of its own, so those of the source that it lacks are counted, not those that it has.
_MISSING = "GTID_SUBTRACT(%s, @@GLOBAL.gtid_executed)"
_NO_TABLE = frozenset({1049, 1146})
_NO_PRIVILEGE = frozenset({1044, 1142, 1143})


class ReplicaRow:
    """Reads the row every `period` seconds; while it cannot, there is no reading, because absence is a fact.

    Args:
        session: a connection to the replica.
        dataset: names the row.
        replica: name of the replica.
        log: knows what the source has committed.
        period: seconds between two polls.
    """

    def __init__(self, session: Session, *, dataset: str, replica: str, log: SourceLog, period: float) -> None:
        self.name = f"mysql replica {dataset}/{replica}"
        self.period = period
        self._session = session
        self._dataset = dataset
        self._replica = replica
        self._log = log

    def collect(self, clock: Clock) -> Iterable[Reading]:
        """Read the row once.

        Raises:
            ServerUnavailable: the replica does not answer, or no row has reached it yet.
            ConfigurationError: the user may not read the row; the message has the statement to run.
        """
        source = self._log.known
        rows = self._read(source)
        seen_at = clock.wall()
        if not rows:
            raise ServerUnavailable(f"replica {self._dataset}/{self._replica} shows no heartbeat row yet")
        [(version, written_at, writer, row_period, gtids)] = rows
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
                position=self._applied(source, gtids),
                source_position=source.position,
                unit=PositionUnit.TRANSACTIONS,
            )
        ]

    def close(self) -> None:
        """Give up the connection."""
        self._session.close()

    def _read(self, source: Committed) -> list[tuple[Any, ...]]:
        try:
            self._session.open()
            if self._session.mariadb:
                return self._session.query(_READ.format(gtids=_APPLIED), (self._dataset,))
            return self._session.query(_READ.format(gtids=_MISSING), (source.gtids, self._dataset))
        except QueryFailed as error:
            if error.code in _NO_TABLE:
                return []
            if error.code in _NO_PRIVILEGE:
                raise ConfigurationError(
                    f"{error}. Run at the source: GRANT SELECT ON snowshed.heartbeat TO <the agent's user>;"
                ) from None
            raise

    def _applied(self, source: Committed, gtids: str) -> float:
        """How many of the source's transactions the replica has."""
        if self._session.mariadb:
            return transactions(gtids)
        return source.position - (transactions(gtids) if gtids else 0.0)
