"""Reads the heartbeat row of a dataset at a replica."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from snowshed.producers.collectors.base import Clock, Reading, RowSeen
from snowshed.producers.collectors.mysql.gtid import transactions
from snowshed.producers.collectors.mysql.session import QueryFailed, Session
from snowshed.producers.collectors.mysql.source_row import SYSTEM
from snowshed.producers.collectors.position import SourcePosition
from snowshed.schemas.errors import ConfigurationError, ServerUnavailable
from snowshed.schemas.records import PositionUnit

__all__ = ["ReplicaRow"]

_READ = "SELECT version, written_at, writer, row_period, {applied} FROM snowshed.heartbeat WHERE source = %s"
_NO_TABLE = frozenset({1049, 1146})
_NO_PRIVILEGE = frozenset({1044, 1142, 1143})


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
        self.name = f"mysql replica {dataset}/{replica}"
        self.period = period
        self._session = session
        self._dataset = dataset
        self._replica = replica
        self._position = position

    def collect(self, clock: Clock) -> Iterable[Reading]:
        """Read the row once.

        Raises:
            ServerUnavailable: the replica does not answer, or no row has reached it yet.
            ConfigurationError: the user may not read the row; the message has the statement to run.
        """
        rows = self._read()
        seen_at = clock.wall()
        if not rows:
            raise ServerUnavailable(f"replica {self._dataset}/{self._replica} shows no heartbeat row yet")
        [(version, written_at, writer, row_period, applied)] = rows
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
                position=transactions(applied),
                source_position=self._position.value,
                unit=PositionUnit.TRANSACTIONS,
            )
        ]

    def close(self) -> None:
        """Give up the connection."""
        self._session.close()

    def _read(self) -> list[tuple[Any, ...]]:
        try:
            self._session.open()
            applied = "@@gtid_slave_pos" if self._session.mariadb else "@@gtid_executed"
            return self._session.query(_READ.format(applied=applied), (self._dataset,))
        except QueryFailed as error:
            if error.code in _NO_TABLE:
                return []
            if error.code in _NO_PRIVILEGE:
                raise ConfigurationError(
                    f"{error}. Run at the source: GRANT SELECT ON snowshed.heartbeat TO <the agent's user>;"
                ) from None
            raise
