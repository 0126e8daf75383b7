"""Kafka's own quorum (KRaft): whether its controllers can commit."""

from snowshed.producers.collectors.kraft.collector import KRaft, kraft_collector
from snowshed.producers.collectors.kraft.target import KRaftTarget

__all__ = ["KRaft", "KRaftTarget", "kraft_collector"]
