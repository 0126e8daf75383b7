"""Kafka's requests about members of a group that aiokafka does not have: those of KIP-848."""

# aiokafka ships no type information, and declares as properties what its own classes have as constants.
# mypy: disable-error-code="import-untyped,misc"
# pyright: reportMissingTypeStubs=false, reportAssignmentType=false, reportIncompatibleMethodOverride=false

from __future__ import annotations

from io import BytesIO
from typing import Any

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    AbstractType,
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

__all__ = ["ConsumerGroupDescribe", "ConsumerGroupLeave"]

_LEAVING_EPOCH = -1
_NO_TIMEOUT = -1


class _Uuid(AbstractType[bytes]):
    @classmethod
    def encode(cls, value: bytes) -> bytes:
        return value

    @classmethod
    def decode(cls, data: BytesIO) -> bytes:
        return data.read(16)


class ConsumerGroupHeartbeatResponseV0(Response):
    """The broker's answer as far as someone who leaves needs it; epoch, interval and assignment follow."""

    API_KEY = 68
    API_VERSION = 0
    SCHEMA = Schema(("throttle_time_ms", Int32), ("error_code", Int16), ("error_message", CompactString("utf-8")))


class ConsumerGroupHeartbeatRequestV0(RequestStruct):
    """A heartbeat of a member under KIP-848; lists are only ever sent as null."""

    API_KEY = 68
    API_VERSION = 0
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = ConsumerGroupHeartbeatResponseV0
    SCHEMA = Schema(
        ("group_id", CompactString("utf-8")),
        ("member_id", CompactString("utf-8")),
        ("member_epoch", Int32),
        ("instance_id", CompactString("utf-8")),
        ("rack_id", CompactString("utf-8")),
        ("rebalance_timeout_ms", Int32),
        ("subscribed_topic_names", CompactArray(CompactString("utf-8"))),
        ("server_assignor", CompactString("utf-8")),
        ("topic_partitions", CompactArray(CompactString("utf-8"))),
        ("tags", TaggedFields),
    )


class ConsumerGroupLeave(Request[ConsumerGroupHeartbeatRequestV0]):
    """The last heartbeat of a member: it leaves the group at once.

    Args:
        group: the group id.
        member_id: who leaves.
    """

    API_KEY = 68

    def __init__(self, group: str, member_id: str) -> None:
        self._group, self._member_id = group, member_id

    def build(self, request_struct_class: type[ConsumerGroupHeartbeatRequestV0]) -> ConsumerGroupHeartbeatRequestV0:
        """The request as it goes over the wire."""
        return request_struct_class(
            self._group, self._member_id, _LEAVING_EPOCH, None, None, _NO_TIMEOUT, None, None, None, {}
        )


_ASSIGNMENT = Schema(
    (
        "topic_partitions",
        CompactArray(
            ("topic_id", _Uuid),
            ("topic_name", CompactString("utf-8")),
            ("partitions", CompactArray(Int32)),
            ("tags", TaggedFields),
        ),
    ),
    ("tags", TaggedFields),
)

_MEMBER: tuple[tuple[str, Any], ...] = (
    ("member_id", CompactString("utf-8")),
    ("instance_id", CompactString("utf-8")),
    ("rack_id", CompactString("utf-8")),
    ("member_epoch", Int32),
    ("client_id", CompactString("utf-8")),
    ("client_host", CompactString("utf-8")),
    ("subscribed_topic_names", CompactArray(CompactString("utf-8"))),
    ("subscribed_topic_regex", CompactString("utf-8")),
    ("assignment", _ASSIGNMENT),
    ("target_assignment", _ASSIGNMENT),
    ("tags", TaggedFields),
)


class ConsumerGroupDescribeResponseV0(Response):
    """Groups, their states and their members."""

    API_KEY = 69
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "groups",
            CompactArray(
                ("error_code", Int16),
                ("error_message", CompactString("utf-8")),
                ("group_id", CompactString("utf-8")),
                ("group_state", CompactString("utf-8")),
                ("group_epoch", Int32),
                ("assignment_epoch", Int32),
                ("assignor_name", CompactString("utf-8")),
                ("members", CompactArray(*_MEMBER)),
                ("authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class ConsumerGroupDescribeRequestV0(RequestStruct):
    """Asks for groups under KIP-848."""

    API_KEY = 69
    API_VERSION = 0
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = ConsumerGroupDescribeResponseV0
    SCHEMA = Schema(
        ("group_ids", CompactArray(CompactString("utf-8"))),
        ("include_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class ConsumerGroupDescribe(Request[ConsumerGroupDescribeRequestV0]):
    """Asks for one group's state and members.

    Args:
        group: the group id.
    """

    API_KEY = 69

    def __init__(self, group: str) -> None:
        self._group = group

    def build(self, request_struct_class: type[ConsumerGroupDescribeRequestV0]) -> ConsumerGroupDescribeRequestV0:
        """The request as it goes over the wire."""
        return request_struct_class([self._group], False, {})
