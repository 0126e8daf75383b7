"""The collectors of a dataset on MySQL or MariaDB."""

from __future__ import annotations

from snowshed.producers.collectors.base import Collector
from snowshed.producers.collectors.mysql.applier import Applier
from snowshed.producers.collectors.mysql.replica_row import ReplicaRow
from snowshed.producers.collectors.mysql.session import Session
from snowshed.producers.collectors.mysql.source_log import SourceLog
from snowshed.producers.collectors.mysql.source_row import SourceRow
from snowshed.producers.collectors.mysql.statements import Statements
from snowshed.producers.collectors.servers import RowPeriods, Servers

__all__ = ["mysql_collectors"]


def mysql_collectors(
    servers: Servers, *, writer: str, periods: RowPeriods, statement_limit: int
) -> tuple[Collector, ...]:
    """The collectors of one dataset.

    Each replica has one connection. The source has two, because the heartbeat row must not wait for a slow read of the
    statement counters: a late row would make every replica look fresher than it is known to be.

    Args:
        servers: the source and its replicas.
        writer: node whose clock stamps the rows.
        periods: how often what is done.
        statement_limit: statements reported one by one.

    Raises:
        ConfigurationError: an address cannot be read, or PyMySQL is not installed.
    """
    dataset, log = servers.dataset, SourceLog()
    source = f"{dataset}/{servers.source}"
    writing, reading = Session(source, servers.source_url, writes=True), Session(source, servers.source_url)
    collectors: list[Collector] = [
        SourceRow(writing, dataset=dataset, source=servers.source, writer=writer, log=log, period=periods.row),
        Statements(
            reading,
            dataset=dataset,
            schema=reading.schema,
            own=lambda: writing.fingerprints | reading.fingerprints,
            limit=statement_limit,
            period=periods.statements,
        ),
    ]
    for name, url in servers.replicas.items():
        session = Session(f"{dataset}/{name}", url)
        collectors += [
            ReplicaRow(session, dataset=dataset, replica=name, log=log, period=periods.poll),
            Applier(session, dataset=dataset, replica=name, period=periods.state),
        ]
    return tuple(collectors)
