"""Reads `pg_stat_statements` and reports what was called since the read before."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from snowshed.producers._log import ForkSafeLog
from snowshed.producers.collectors.base import Clock, Reading
from snowshed.producers.collectors.postgres.session import QueryFailed, Session
from snowshed.producers.collectors.statements.counts import StatementCounts
from snowshed.producers.collectors.statements.deltas import Counters, Snapshot, StatementKey
from snowshed.producers.collectors.statements.own import OWN_MARK
from snowshed.producers.collectors.statements.report import Statement, describe
from snowshed.schemas.errors import ConfigurationError

__all__ = ["Statements"]

_log = ForkSafeLog()

_EXTENSION = """\
SELECT quote_ident(n.nspname), string_to_array(e.extversion, '.')::int[]
FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_stat_statements'"""
_COUNTERS = """\
SELECT coalesce(r.rolname, 'unknown'), s.queryid, s.calls, s.total_exec_time / 1000,
  (SELECT extract(epoch FROM i.stats_reset)::float8 FROM {schema}.pg_stat_statements_info i)
FROM {schema}.pg_stat_statements(false) s LEFT JOIN pg_roles r ON r.oid = s.userid
WHERE s.toplevel AND s.dbid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())"""
_TEXTS = """\
SELECT DISTINCT ON (s.queryid) s.queryid, s.query
FROM {schema}.pg_stat_statements(true) s
WHERE s.queryid = ANY(%s) AND s.query IS NOT NULL
  AND s.dbid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())"""
_OLDEST = [1, 9]
_NOT_LOADED = "55000"


class Statements:
    """Reports statements by role, but for those inside functions, which no caller sent.

    Args:
        session: a connection to the primary.
        dataset: the callee of the timings.
        limit: statements reported one by one.
        period: seconds between two polls.
    """

    def __init__(self, session: Session, *, dataset: str, limit: int, period: float) -> None:
        self.name = f"postgres statements of {dataset}"
        self.period = period
        self._session = session
        self._dataset = dataset
        self._counts = StatementCounts(dataset=dataset, limit=limit, period=period, described=self._described)
        self._schema = ""
        self._warned = False

    def collect(self, clock: Clock) -> Iterable[Reading]:
        """What was called since the poll before; the first poll only takes note.

        Raises:
            ServerUnavailable: the server does not answer.
            ConfigurationError: the extension is missing, too old or not loaded; the message has what to run.
        """
        return self._counts.since(self._snapshot(clock))

    def close(self) -> None:
        """Give up the connection."""
        self._schema = ""
        self._session.close()

    def _snapshot(self, clock: Clock) -> Snapshot:
        self._schema = self._schema or self._found_extension()
        try:
            rows = self._session.query(_COUNTERS.format(schema=self._schema))
        except QueryFailed as error:
            self._schema = ""
            raise _diagnosed(error) from None
        counters = {
            StatementKey(role, queryid): Counters(calls, seconds)
            for role, queryid, calls, seconds, _ in rows
            if queryid is not None
        }
        hidden = sum(queryid is None for _, queryid, *_ in rows)
        if hidden and not self._warned:
            self._warn_of_hidden(hidden)
        reset_at = rows[0][-1] if rows else None
        return Snapshot(clock.wall(), clock.monotonic(), reset_at, counters, partial=hidden > 0)

    def _described(self, queryids: AbstractSet[int]) -> dict[int, Statement | None]:
        """What statements are; the server reads all texts from disk for it."""
        rows = self._session.query(_TEXTS.format(schema=self._schema), (list(queryids),))
        return {queryid: None if OWN_MARK in text else describe(text) for queryid, text in rows}

    def _found_extension(self) -> str:
        rows = self._session.query(_EXTENSION)
        if not rows:
            raise ConfigurationError(
                f"the statements of {self._dataset} are not counted: run CREATE EXTENSION pg_stat_statements; there, "
                "after a start of the server with shared_preload_libraries = 'pg_stat_statements'"
            )
        [(schema, version)] = rows
        if version < _OLDEST:
            raise ConfigurationError(
                f"the statements of {self._dataset} are counted by too old a pg_stat_statements: on PostgreSQL 14 or "
                "newer run ALTER EXTENSION pg_stat_statements UPDATE;"
            )
        return str(schema)

    def _warn_of_hidden(self, hidden: int) -> None:
        self._warned = True
        [(role,)] = self._session.query("SELECT quote_ident(current_user)")
        _log.warning(
            "statements_hidden", dataset=self._dataset, hidden=hidden, remedy=f"GRANT pg_read_all_stats TO {role};"
        )


def _diagnosed(error: QueryFailed) -> Exception:
    if error.sqlstate != _NOT_LOADED:
        return error
    return ConfigurationError(
        f"{error}. Run ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'; (add it to what is there) and "
        "restart the server"
    )
