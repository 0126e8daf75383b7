"""ZooKeeper: whether an ensemble can commit."""

from snowshed.producers.collectors.zookeeper.collector import ZooKeeper, ZooKeeperTarget

__all__ = ["ZooKeeper", "ZooKeeperTarget"]
