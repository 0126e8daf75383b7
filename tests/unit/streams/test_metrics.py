"""What a worker counts of its lanes, as Prometheus reads it."""

from __future__ import annotations

from snowshed.streams.metrics import Metrics
from snowshed.streams.transactions.events import CommittedBatch


def test_records_that_their_senders_lost_are_counted_by_agent() -> None:
    metrics = Metrics()
    for agent, lost in (("timings", 2.0), ("timings", 1.0), ("heartbeats", 4.0)):
        metrics.committed(CommittedBatch(f"{agent}-0", agent, 0, 5, 1, 0, 0, 0.01, 0.02, 0.0, lost))
    lines = metrics.exposition().decode().splitlines()
    assert 'snowshed_records_lost_total{agent="timings"} 3.0' in lines
    assert 'snowshed_records_lost_total{agent="heartbeats"} 4.0' in lines


def test_the_worst_clock_of_a_partition_is_shown_until_another_is_told() -> None:
    metrics = Metrics()
    for off in (31.0, None):
        event = CommittedBatch("heartbeats-3", "heartbeats", 3, 5, 1, 0, 0, 0.01, 0.02, 0.0, clock_off=off)
        metrics.committed(event)
    line = 'snowshed_clock_off_seconds{agent="heartbeats",partition="3"} 31.0'
    assert line in metrics.exposition().decode().splitlines()
