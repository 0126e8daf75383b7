"""The collectors of a dataset on PostgreSQL."""

from __future__ import annotations

from dataclasses import dataclass

from snowshed.producers.collectors.base import Collector
from snowshed.producers.collectors.position import SourcePosition
from snowshed.producers.collectors.postgres.replica_row import READER_SETTINGS, ReplicaRow
from snowshed.producers.collectors.postgres.session import Session
from snowshed.producers.collectors.postgres.source_row import WRITER_SETTINGS, SourceRow
from snowshed.producers.collectors.postgres.standbys import Standbys
from snowshed.producers.collectors.postgres.statements import Statements
from snowshed.producers.collectors.servers import Servers, checked_periods

__all__ = ["PostgresPeriods", "postgres_collectors"]

_STANDBY_PERIOD = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresPeriods:
    """How often what is done, in seconds."""

    row: float = 0.5
    """Between two heartbeat rows; the interval of a lag is at least this wide."""
    poll: float = 0.25
    """Between two looks at a replica."""
    statements: float = 1.0
    """Between two reads of the statement counters."""

    def __post_init__(self) -> None:
        checked_periods(row=self.row, poll=self.poll, statements=self.statements)


def postgres_collectors(
    servers: Servers, *, writer: str, periods: PostgresPeriods, statement_limit: int
) -> tuple[Collector, ...]:
    """The collectors of one dataset.

    Each replica has one connection. The primary has two, because the heartbeat row must not wait for a slow read of
    the statement counters: a late row would make every replica look fresher than it is known to be.

    Args:
        servers: the primary and its streaming replicas, each by its libpq connection string.
        writer: node whose clock stamps the rows.
        periods: how often what is done.
        statement_limit: statements reported one by one.

    Raises:
        ConfigurationError: a connection string cannot be read, or psycopg is not installed.
    """
    dataset, position = servers.dataset, SourcePosition()
    primary = f"{dataset}/{servers.source}"
    writing = Session(primary, servers.source_url, WRITER_SETTINGS)
    reading = Session(primary, servers.source_url, READER_SETTINGS)
    return (
        SourceRow(
            writing, dataset=dataset, source=servers.source, writer=writer, position=position, period=periods.row
        ),
        Statements(reading, dataset=dataset, limit=statement_limit, period=periods.statements),
        Standbys(reading, dataset=dataset, position=position, period=_STANDBY_PERIOD),
        *(
            ReplicaRow(
                Session(f"{dataset}/{name}", dsn, READER_SETTINGS),
                dataset=dataset,
                replica=name,
                position=position,
                period=periods.poll,
            )
            for name, dsn in servers.replicas.items()
        ),
    )
