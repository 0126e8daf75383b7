"""Kafka's request for the state of its quorum, which aiokafka does not have: `DescribeQuorum`, KIP-595 and KIP-836."""

# aiokafka ships no type information, and declares as properties what its own classes have as constants.
# mypy: disable-error-code="import-untyped,misc"
# pyright: reportMissingTypeStubs=false, reportAssignmentType=false, reportIncompatibleMethodOverride=false

from __future__ import annotations

from typing import Any

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import CompactArray, CompactString, Int16, Int32, Int64, Schema, TaggedFields

from snowshed.producers.collectors.kraft.answers import KRaftQuorum, KRaftReplica

__all__ = ["DescribeQuorum", "quorum_in"]

_METADATA = "__cluster_metadata"
_PARTITION = 0

_REPLICA: tuple[tuple[str, Any], ...] = (
    ("replica_id", Int32),
    ("log_end_offset", Int64),
    ("last_fetch_timestamp", Int64),
    ("last_caught_up_timestamp", Int64),
    ("tags", TaggedFields),
)


class DescribeQuorumResponseV1(Response):
    """The leader's view of voters and observers; milliseconds since the Unix epoch."""

    API_KEY = 55
    API_VERSION = 1
    SCHEMA = Schema(
        ("error_code", Int16),
        (
            "topics",
            CompactArray(
                ("topic_name", CompactString("utf-8")),
                (
                    "partitions",
                    CompactArray(
                        ("partition_index", Int32),
                        ("error_code", Int16),
                        ("leader_id", Int32),
                        ("leader_epoch", Int32),
                        ("high_watermark", Int64),
                        ("current_voters", CompactArray(*_REPLICA)),
                        ("observers", CompactArray(*_REPLICA)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class DescribeQuorumRequestV1(RequestStruct):
    """Asks for partitions by their names; the first version in which the leader says who caught up when."""

    API_KEY = 55
    API_VERSION = 1
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = DescribeQuorumResponseV1
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(
                ("topic_name", CompactString("utf-8")),
                ("partitions", CompactArray(("partition_index", Int32), ("tags", TaggedFields))),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class DescribeQuorum(Request[DescribeQuorumRequestV1]):
    """Asks for the quorum that keeps the cluster's metadata."""

    API_KEY = 55

    def build(self, request_struct_class: type[DescribeQuorumRequestV1]) -> DescribeQuorumRequestV1:
        """The request as it goes over the wire."""
        return request_struct_class([(_METADATA, [(_PARTITION, {})], {})], {})


def quorum_in(response: Any) -> tuple[int, KRaftQuorum | None]:
    """Kafka's error code, and the quorum where it is 0.

    Raises:
        ValueError: the answer is about something else.
    """
    if response.error_code:
        return response.error_code, None
    [(_topic, [partition], _)] = response.topics
    _index, code, leader, epoch, committed, voters, *_ = partition
    if code:
        return code, None
    return 0, KRaftQuorum(leader=leader, epoch=epoch, committed=committed, voters=tuple(map(_replica, voters)))


def _replica(values: tuple[Any, ...]) -> KRaftReplica:
    node, end, fetched, caught_up, _tags = values
    return KRaftReplica(node=node, end=end, fetched=fetched / 1000, caught_up=caught_up / 1000)
