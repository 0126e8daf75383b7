"""Tells the operator which standbys the primary feeds, and when one comes or goes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from snowshed.producers._log import ForkSafeLog
from snowshed.producers.collectors.base import Clock, Reading
from snowshed.producers.collectors.position import SourcePosition
from snowshed.producers.collectors.postgres.lsn import lsn_bytes
from snowshed.producers.collectors.postgres.session import Session

__all__ = ["Change", "Standbys", "changes"]

_log = ForkSafeLog()

_READ = """\
SELECT coalesce(application_name, ''), coalesce(client_addr::text, 'local'), coalesce(state, 'hidden'),
  pg_current_wal_lsn()::text, replay_lsn::text
FROM pg_stat_replication"""


class Change(NamedTuple):
    """A standby whose stream changed state; a state is empty where the standby is absent."""

    standby: str
    before: str
    after: str


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[Change, ...]:
    """What differs between two maps of standby to stream state, in the order of their names."""
    names = sorted(before.keys() | after.keys())
    pairs = [Change(name, before.get(name, ""), after.get(name, "")) for name in names]
    return tuple(change for change in pairs if change.before != change.after)


class Standbys:
    """Reads the primary's own view of replication; a second opinion beside the heartbeat rows, in bytes.

    Args:
        session: a connection to the primary.
        dataset: whose primary it is, for log lines.
        position: told how far the primary's log has come.
        period: seconds between two polls.
    """

    def __init__(self, session: Session, *, dataset: str, position: SourcePosition, period: float) -> None:
        self.name = f"postgres standbys of {dataset}"
        self.period = period
        self._session = session
        self._dataset = dataset
        self._position = position
        self._states: dict[str, str] = {}

    def collect(self, clock: Clock) -> Iterable[Reading]:
        """Log what changed since the poll before; gives no readings.

        Raises:
            ServerUnavailable: the server does not answer or is no primary.
        """
        del clock
        rows = self._session.query(_READ)
        behind = {f"{name}@{address}": _behind(written, applied) for name, address, _, written, applied in rows}
        for row in rows:
            self._position.learn(lsn_bytes(row[3]))
        states = {f"{name}@{address}": state for name, address, state, *_ in rows}
        for standby, old, new in changes(self._states, states):
            _log.info(
                "standby_changed",
                dataset=self._dataset,
                standby=standby,
                before=old or "absent",
                after=new or "absent",
                bytes_behind=behind.get(standby),
            )
        self._states = states
        return []

    def close(self) -> None:
        """Give up the connection."""
        self._session.close()


def _behind(written: str, applied: str | None) -> float:
    return lsn_bytes(written) - lsn_bytes(applied)
