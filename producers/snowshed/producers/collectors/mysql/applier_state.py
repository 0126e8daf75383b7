"""What a replica's own tables say of its threads and of what waits for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import nan
from typing import Any, NamedTuple

from snowshed.producers.collectors.mysql.gtid import transactions

__all__ = ["CHANNELS", "UNKNOWN", "ApplierState", "Backlog", "backlog", "mariadb_state", "mysql_state"]


CHANNELS = """\
SELECT c.SERVICE_STATE AS receiving, a.SERVICE_STATE AS applying, c.LAST_ERROR_MESSAGE AS receive_error,
  (SELECT MAX(LAST_ERROR_MESSAGE) FROM performance_schema.replication_applier_status_by_coordinator s
    WHERE s.CHANNEL_NAME = c.CHANNEL_NAME) AS coordinator_error,
  w.error AS worker_error, w.applied, w.begun, UNIX_TIMESTAMP(NOW(6)) AS now,
  UNIX_TIMESTAMP(c.LAST_QUEUED_TRANSACTION_ORIGINAL_COMMIT_TIMESTAMP) AS received,
  GTID_SUBTRACT(c.RECEIVED_TRANSACTION_SET, @@GLOBAL.gtid_executed) AS waiting
FROM performance_schema.replication_connection_status c
JOIN performance_schema.replication_applier_status a ON a.CHANNEL_NAME = c.CHANNEL_NAME
LEFT JOIN (
  SELECT CHANNEL_NAME, MAX(LAST_ERROR_MESSAGE) AS error,
    MAX(UNIX_TIMESTAMP(LAST_APPLIED_TRANSACTION_ORIGINAL_COMMIT_TIMESTAMP)) AS applied,
    MIN(NULLIF(UNIX_TIMESTAMP(APPLYING_TRANSACTION_ORIGINAL_COMMIT_TIMESTAMP), 0)) AS begun
  FROM performance_schema.replication_applier_status_by_worker GROUP BY CHANNEL_NAME
) w ON w.CHANNEL_NAME = c.CHANNEL_NAME"""
"""What MySQL 8 knows of each channel, with its performance schema off as well as on."""


class ApplierState(NamedTuple):
    """What a replica says of its two threads."""

    receiving: str
    applying: str
    error: str
    """Why one of them stopped; empty if none did."""


class Backlog(NamedTuple):
    """What a replica has received and not applied."""

    transactions: float
    """NaN where nobody can tell."""
    low: float
    """Seconds that it is at least behind."""
    high: float
    """Seconds that it is at most behind; both by the two servers' clocks as they are, and not of what it has not
    received."""


UNKNOWN = Backlog(nan, nan, nan)
"""What of a server that does not tell."""

_ABSENT = ApplierState("absent", "absent", "")
_SERVICE = {"ON": "yes", "OFF": "no"}


def mariadb_state(rows: Iterable[Mapping[str, Any]]) -> ApplierState:
    """The state in the rows of SHOW ALL SLAVES STATUS."""
    return _worst(
        ApplierState(
            str(row["Slave_IO_Running"]).lower(),
            str(row["Slave_SQL_Running"]).lower(),
            str(row["Last_SQL_Error"] or row["Last_IO_Error"] or ""),
        )
        for row in rows
    )


def mysql_state(rows: Iterable[Mapping[str, Any]]) -> ApplierState:
    """The state in the rows that `CHANNELS` asks for."""
    return _worst(
        ApplierState(
            _service(row["receiving"]),
            _service(row["applying"]),
            str(row["worker_error"] or row["coordinator_error"] or row["receive_error"] or ""),
        )
        for row in rows
    )


def backlog(rows: Iterable[Mapping[str, Any]]) -> Backlog:
    """What waits on the channel of the rows that `CHANNELS` asks for on which most waits.

    What is being applied, or else what was received last, is not to be seen yet: a replica is at least as old as the
    commit of that. What was applied last is to be seen: it is at most as old as the commit of that, unless others of
    its workers are still at something older.
    """
    return max(map(_backlog, rows), default=UNKNOWN)


def _backlog(row: Mapping[str, Any]) -> Backlog:
    if not row["waiting"]:
        return Backlog(0.0, 0.0, 0.0)
    low = _age(row["now"], row["begun"] or row["received"], 0.0)
    return Backlog(transactions(row["waiting"]), low, max(_age(row["now"], row["applied"], nan), low))


def _age(now: float, committed: float | None, unknown: float) -> float:
    # A server says nothing or zero for a time that it does not know, as after a start.
    return max(float(now) - float(committed), 0.0) if committed else unknown


def _service(state: str | None) -> str:
    return _SERVICE.get(str(state), str(state).lower())


def _worst(states: Iterable[ApplierState]) -> ApplierState:
    """Of several channels the one that needs somebody most; `absent` without any."""
    return min(states, key=lambda state: (state.applying == "yes", state.receiving == "yes"), default=_ABSENT)
