"""Tells the operator whether a replica's threads run, and what stopped them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from snowshed.producers._log import ForkSafeLog
from snowshed.producers.collectors.base import Clock, Reading
from snowshed.producers.collectors.mysql.session import QueryFailed, Session
from snowshed.schemas.errors import ConfigurationError

__all__ = ["Applier", "ApplierState", "applier_state"]

_log = ForkSafeLog()

_NO_PRIVILEGE = frozenset({1227, 1142})


class ApplierState(NamedTuple):
    """What a replica says of its two threads."""

    receiving: str
    applying: str
    error: str
    """Why one of them stopped; empty if none did."""


def applier_state(rows: Iterable[Mapping[str, Any]]) -> ApplierState:
    """The state in the rows of SHOW REPLICA STATUS, of several channels the worst; `absent` without any row.

    MySQL calls the columns Replica_…, MariaDB and older servers Slave_….
    """
    states = [
        ApplierState(
            str(_either(row, "Replica_IO_Running", "Slave_IO_Running")).lower(),
            str(_either(row, "Replica_SQL_Running", "Slave_SQL_Running")).lower(),
            str(row.get("Last_SQL_Error") or row.get("Last_IO_Error") or ""),
        )
        for row in rows
    ]
    return min(states, key=lambda state: (state.applying == "yes", state.receiving == "yes")) if states else _ABSENT


_ABSENT = ApplierState("absent", "absent", "")


class Applier:
    """Reads a replica's own view of replication; it logs what changes and gives no readings.

    Args:
        session: a connection to the replica.
        dataset: whose replica it is, for log lines.
        replica: its name.
        period: seconds between two polls.
    """

    def __init__(self, session: Session, *, dataset: str, replica: str, period: float) -> None:
        self.name = f"mysql applier {dataset}/{replica}"
        self.period = period
        self._session = session
        self._dataset = dataset
        self._replica = replica
        self._state: ApplierState | None = None

    def collect(self, clock: Clock) -> Iterable[Reading]:
        """Log what changed since the poll before.

        Raises:
            ServerUnavailable: the replica does not answer.
            ConfigurationError: the user may not ask; the message has the statement to run.
        """
        del clock
        state = applier_state(self._ask())
        if state != self._state:
            _log.info("applier_changed", dataset=self._dataset, replica=self._replica, **state._asdict())
        self._state = state
        return []

    def close(self) -> None:
        """Give up the connection."""
        self._session.close()

    def _ask(self) -> list[Mapping[str, Any]]:
        try:
            self._session.open()
            return self._session.table("SHOW ALL SLAVES STATUS" if self._session.mariadb else "SHOW REPLICA STATUS")
        except QueryFailed as error:
            if error.code in _NO_PRIVILEGE:
                privilege = "SLAVE MONITOR" if self._session.mariadb else "REPLICATION CLIENT"
                raise ConfigurationError(f"{error}. Run: GRANT {privilege} ON *.* TO <the agent's user>;") from None
            raise


def _either(row: Mapping[str, Any], name: str, older: str) -> Any:
    return row.get(name, row.get(older, "unknown"))
