"""etcd: whether a cluster can commit."""

from snowshed.producers.collectors.etcd.collector import Etcd, EtcdTarget

__all__ = ["Etcd", "EtcdTarget"]
