from __future__ import annotations

from snowshed.producers.collectors.kafka_groups.look import GroupLook, PartitionLook, furthest_behind


def _part(number: int, committed: int | None, end: int) -> PartitionLook:
    return PartitionLook(topic="t", partition=number, committed=committed, end=end, owned=True)


def test_the_partitions_furthest_behind_come_first_and_one_without_a_commit_is_wholly_behind() -> None:
    parts = (_part(0, 5, 5), _part(1, 5, 9), _part(2, None, 7), _part(3, 8, 12), _part(4, 9, 3))
    look = GroupLook(group="g", asked=1.0, ends_asked=2.0, answered=3.0, partitions=parts)
    assert [(part.partition, part.lag) for part in furthest_behind(look, 4)] == [(2, 7), (1, 4), (3, 4), (0, 0)]
    assert parts[4].lag == 0, "a topic that was made anew"
