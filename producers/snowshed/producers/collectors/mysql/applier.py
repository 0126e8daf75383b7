"""Tells the operator whether a replica's threads run, and what stopped them."""

from __future__ import annotations

from collections.abc import Iterable
from math import isnan

from snowshed.producers._log import ForkSafeLog
from snowshed.producers.collectors.base import Clock, Reading
from snowshed.producers.collectors.mysql.applier_state import (
    CHANNELS,
    UNKNOWN,
    ApplierState,
    Backlog,
    backlog,
    mariadb_state,
    mysql_state,
)
from snowshed.producers.collectors.mysql.session import QueryFailed, Session
from snowshed.schemas.errors import ConfigurationError

__all__ = ["Applier"]

_log = ForkSafeLog()

_NO_PRIVILEGE = frozenset({1227, 1142})


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
        state, waiting = self._ask()
        if state != self._state:
            _log.info(
                "applier_changed", dataset=self._dataset, replica=self._replica, **state._asdict(), **_told(waiting)
            )
        self._state = state
        return []

    def close(self) -> None:
        """Give up the connection."""
        self._session.close()

    def _ask(self) -> tuple[ApplierState, Backlog]:
        try:
            self._session.open()
            if self._session.mariadb:
                return mariadb_state(self._session.table("SHOW ALL SLAVES STATUS")), UNKNOWN
            channels = self._session.table(CHANNELS)
            return mysql_state(channels), backlog(channels)
        except QueryFailed as error:
            if error.code in _NO_PRIVILEGE:
                privilege = "SLAVE MONITOR ON *.*" if self._session.mariadb else "SELECT ON performance_schema.*"
                raise ConfigurationError(f"{error}. Run: GRANT {privilege} TO <the agent's user>;") from None
            raise


def _told(waiting: Backlog) -> dict[str, float]:
    """What is known of it, for the log."""
    return {f"waiting_{name}": round(value, 3) for name, value in waiting._asdict().items() if not isnan(value)}
