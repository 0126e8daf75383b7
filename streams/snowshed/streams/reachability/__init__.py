"""Who still reaches whom: partitions read from the matrix of calls, pure."""

from snowshed.streams.reachability.matrix import Link, Partition, PartitionKind, partitions

__all__ = ["Link", "Partition", "PartitionKind", "partitions"]
