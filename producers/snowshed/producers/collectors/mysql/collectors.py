"""The collectors of a dataset on MySQL or MariaDB."""

from __future__ import annotations

from snowshed.producers.collectors.base import Collector
from snowshed.producers.collectors.mysql.applier import Applier
from snowshed.producers.collectors.mysql.replica_row import ReplicaRow
from snowshed.producers.collectors.mysql.session import Session
from snowshed.producers.collectors.mysql.source_log import SourceLog
from snowshed.producers.collectors.mysql.source_row import SourceRow
from snowshed.producers.collectors.servers import RowPeriods, Servers

__all__ = ["mysql_collectors"]


def mysql_collectors(servers: Servers, *, writer: str, periods: RowPeriods) -> tuple[Collector, ...]:
    """The collectors of one dataset, with one connection to each server.

    Args:
        servers: the source and its replicas.
        writer: node whose clock stamps the rows.
        periods: how often what is done.

    Raises:
        ConfigurationError: an address cannot be read, or PyMySQL is not installed.
    """
    dataset, log = servers.dataset, SourceLog()
    collectors: list[Collector] = [
        SourceRow(
            Session(f"{dataset}/{servers.source}", servers.source_url, writes=True),
            dataset=dataset,
            source=servers.source,
            writer=writer,
            log=log,
            period=periods.row,
        )
    ]
    for name, url in servers.replicas.items():
        session = Session(f"{dataset}/{name}", url)
        collectors += [
            ReplicaRow(session, dataset=dataset, replica=name, log=log, period=periods.poll),
            Applier(session, dataset=dataset, replica=name, period=periods.state),
        ]
    return tuple(collectors)
