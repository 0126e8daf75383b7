"""The collectors of a dataset on Redis."""

from __future__ import annotations

from snowshed.producers.collectors.base import Collector
from snowshed.producers.collectors.position import SourcePosition
from snowshed.producers.collectors.redis.replica_key import ReplicaKey
from snowshed.producers.collectors.redis.session import Session
from snowshed.producers.collectors.redis.source_key import SourceKey
from snowshed.producers.collectors.servers import RowPeriods, Servers

__all__ = ["redis_collectors"]


def redis_collectors(servers: Servers, *, writer: str, periods: RowPeriods) -> tuple[Collector, ...]:
    """The collectors of one dataset, with one connection to each server.

    Args:
        servers: the source and its replicas.
        writer: node whose clock stamps the keys.
        periods: how often what is done.

    Raises:
        ConfigurationError: an address cannot be read, or redis-py is not installed.
    """
    dataset, position = servers.dataset, SourcePosition()
    return (
        SourceKey(
            Session(f"{dataset}/{servers.source}", servers.source_url),
            dataset=dataset,
            source=servers.source,
            writer=writer,
            position=position,
            period=periods.row,
        ),
        *(
            ReplicaKey(
                Session(f"{dataset}/{name}", url),
                dataset=dataset,
                replica=name,
                position=position,
                period=periods.poll,
            )
            for name, url in servers.replicas.items()
        ),
    )
