"""Reads the statement digests of the performance schema and reports what was called since the read before."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from typing import Any

from snowshed.producers._log import ForkSafeLog
from snowshed.producers.collectors.base import Clock, Reading
from snowshed.producers.collectors.mysql.digest import statement_text
from snowshed.producers.collectors.mysql.session import QueryFailed, Session
from snowshed.producers.collectors.statements.counts import StatementCounts
from snowshed.producers.collectors.statements.deltas import Counters, Snapshot, StatementKey
from snowshed.producers.collectors.statements.report import Statement, describe
from snowshed.schemas.errors import ConfigurationError

__all__ = ["Statements"]

_log = ForkSafeLog()

_COUNTERS = """\
SELECT SCHEMA_NAME, DIGEST, COUNT_STAR, SUM_TIMER_WAIT, UNIX_TIMESTAMP(FIRST_SEEN)
FROM performance_schema.events_statements_summary_by_digest WHERE COUNT_STAR > 0"""
_OF_SCHEMA = " AND SCHEMA_NAME = %s"
_TEXTS = """\
SELECT DIGEST, MIN(DIGEST_TEXT) FROM performance_schema.events_statements_summary_by_digest
WHERE DIGEST IN ({places}) GROUP BY DIGEST"""
_SETTINGS = "SELECT @@GLOBAL.performance_schema, @@GLOBAL.performance_schema_digests_size"
_CONSUMERS = """\
SELECT NAME FROM performance_schema.setup_consumers
WHERE ENABLED = 'NO' AND NAME IN ('global_instrumentation', 'statements_digest') ORDER BY NAME"""
_SWITCH_ON = "UPDATE performance_schema.setup_consumers SET ENABLED = 'YES' WHERE NAME IN ({names});"
_FORGET = (
    "TRUNCATE TABLE performance_schema.events_statements_summary_by_digest; or start the server with a larger "
    "performance_schema_digests_size"
)
_NO_PRIVILEGE = frozenset({1044, 1142})
_SECONDS = 1e-12
"""A unit of the performance schema's timers."""
_LUMPED = -1
"""Stands for the digest of what came when the table was full."""


class Statements:
    """Reports statements by the schema that was in use, because the server does not count them by user.

    Args:
        session: a connection to the source.
        dataset: the callee of the timings.
        schema: the only schema that is reported; all are if it is empty.
        own: fingerprints of the agent's own statements.
        limit: statements reported one by one.
        period: seconds between two polls.
    """

    def __init__(
        self,
        session: Session,
        *,
        dataset: str,
        schema: str,
        own: Callable[[], AbstractSet[str]],
        limit: int,
        period: float,
    ) -> None:
        self.name = f"mysql statements of {dataset}"
        self.period = period
        self._session = session
        self._dataset = dataset
        self._schema = schema
        self._own = own
        self._counts = StatementCounts(dataset=dataset, limit=limit, period=period, described=self._described)
        self._digits = 0
        self._newest: list[tuple[Any, ...]] = []
        self._begun = 0.0
        self._warned = False

    def collect(self, clock: Clock) -> Iterable[Reading]:
        """What was called since the poll before; the first poll only takes note.

        Raises:
            ServerUnavailable: the server does not answer.
            ConfigurationError: statements are not counted or the user may not see it; the message has what to do.
        """
        return self._counts.since(self._snapshot(clock))

    def close(self) -> None:
        """Give up the connection."""
        self._session.close()

    def _snapshot(self, clock: Clock) -> Snapshot:
        rows = self._read()
        if rows == self._newest:  # not even this question was counted
            self._check_counting()
        self._newest = rows
        found = [row for row in rows if row[1] is not None]
        self._digits = len(found[0][1]) if found else self._digits
        counters = {
            StatementKey(schema or "unknown", int(digest, 16) if digest else _LUMPED): Counters(calls, time * _SECONDS)
            for schema, digest, calls, time, _ in rows
        }
        self._warn_of_lumped(len(rows) - len(found))
        return Snapshot(clock.wall(), clock.monotonic(), self._reset_at(found), counters)

    def _reset_at(self, rows: list[tuple[Any, ...]]) -> float:
        """When the oldest of the counters began, which they all outlive but for a reset."""
        oldest = min((float(first_seen or 0) for *_, first_seen in rows), default=0.0)
        # One that is older than the oldest has begun after the server's clock was set back.
        self._begun = max(self._begun, oldest) if rows else 0.0
        return self._begun

    def _read(self) -> list[tuple[Any, ...]]:
        try:
            if self._schema:
                return self._session.query(_COUNTERS + _OF_SCHEMA, (self._schema,))
            return self._session.query(_COUNTERS)
        except QueryFailed as error:
            raise self._diagnosed(error) from None

    def _described(self, queryids: AbstractSet[int]) -> dict[int, Statement | None]:
        """What statements are, by their digests' texts."""
        digests = [f"{queryid:0{self._digits}x}" for queryid in sorted(queryids - {_LUMPED})]
        if not digests:
            return {}
        rows = self._session.query(_TEXTS.format(places=", ".join(["%s"] * len(digests))), digests)
        own = self._own()
        found = {int(digest, 16): describe(statement_text(text or "")) for digest, text in rows}
        return {queryid: None if told.fingerprint in own else told for queryid, told in found.items()}

    def _check_counting(self) -> None:
        [(on, size)] = self._session.query(_SETTINGS)
        if not on or not size:
            raise ConfigurationError(
                f"the statements of {self._dataset} are not counted: start the server with performance_schema = ON "
                "and without performance_schema_digests_size = 0"
            )
        try:
            off = [name for (name,) in self._session.query(_CONSUMERS)]
        except QueryFailed as error:
            raise self._diagnosed(error) from None
        if off:
            remedy = _SWITCH_ON.format(names=", ".join(f"'{name}'" for name in off))
            raise ConfigurationError(f"the statements of {self._dataset} are not counted. Run: {remedy}")

    def _diagnosed(self, error: QueryFailed) -> Exception:
        if error.code not in _NO_PRIVILEGE:
            return error
        return ConfigurationError(f"{error}. Run: GRANT SELECT ON performance_schema.* TO <the agent's user>;")

    def _warn_of_lumped(self, rows: int) -> None:
        if rows and not self._warned:
            _log.warning("statements_lumped", dataset=self._dataset, remedy=_FORGET)
        self._warned = rows > 0
