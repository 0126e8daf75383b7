"""What is sent for a member that leaves, and what the answer means."""

from __future__ import annotations

from io import BytesIO

import pytest

from snowshed.streams.supervision.leaving import Departure, Outcome, outcome_of
from snowshed.streams.supervision.protocol import (
    ConsumerGroupDescribe,
    ConsumerGroupDescribeRequestV0,
    ConsumerGroupHeartbeatResponseV0,
    ConsumerGroupLeave,
)

OFFERED = {68: (0, 1), 69: (0, 1)}


def test_the_last_heartbeat_of_a_member_is_the_one_of_kip_848() -> None:
    request = ConsumerGroupLeave("grp", "member").prepare(OFFERED)
    header = request.build_request_header(7, "me").encode()
    assert header == bytes.fromhex("0044 0000 00000007 0002") + b"me" + b"\0"
    strings = b"\x04grp" + b"\x07member"
    epoch, nulls_and_no_timeout = b"\xff\xff\xff\xff", b"\0\0" + b"\xff\xff\xff\xff" + b"\0\0\0" + b"\0"
    assert request.encode() == strings + epoch + nulls_and_no_timeout


def test_the_answer_is_read_as_far_as_it_matters() -> None:
    answer = bytes.fromhex("00000000 0019") + b"\x05gone" + b"whatever follows"
    read = ConsumerGroupHeartbeatResponseV0.decode(BytesIO(answer))
    assert read.to_object() == {"throttle_time_ms": 0, "error_code": 25, "error_message": "gone"}


def test_a_group_is_asked_for_by_its_name_alone() -> None:
    request = ConsumerGroupDescribe("grp").prepare(OFFERED)
    assert isinstance(request, ConsumerGroupDescribeRequestV0)
    assert request.encode() == b"\x02\x04grp" + b"\0" + b"\0"


@pytest.mark.parametrize(
    ("code", "outcome", "reason"),
    [
        (0, Outcome.LEFT, ""),
        (25, Outcome.GONE, "UnknownMemberIdError (25)"),
        (16, Outcome.UNANSWERED, "NotCoordinatorForGroupError (16)"),
        (30, Outcome.REFUSED, "GroupAuthorizationFailedError (30)"),
        (12_345, Outcome.REFUSED, "UnknownError (12345)"),
    ],
)
def test_the_broker_s_code_says_whether_the_member_is_out_and_whether_to_ask_again(
    code: int, outcome: Outcome, reason: str
) -> None:
    assert outcome_of(code) == Departure(outcome, reason)
