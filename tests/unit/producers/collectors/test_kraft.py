"""Kafka's own quorum: what is asked over the wire, what is made of the answers, and what is refused."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

import pytest

from snowshed.producers.collectors.base import Clock, QuorumSeen
from snowshed.producers.collectors.kraft import KRaft, KRaftTarget, kraft_collector
from snowshed.producers.collectors.kraft.answers import KRaftQuorum, KRaftReplica
from snowshed.producers.collectors.kraft.wire import (
    DescribeQuorum,
    DescribeQuorumRequestV1,
    DescribeQuorumResponseV1,
    quorum_in,
)
from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.errors import ConfigurationError, ServerUnavailable
from snowshed.schemas.members import Role

# The first answer below is from Kafka 4.1 with three controllers, cut to two.
_TOPIC = b"\x13__cluster_metadata"
_REQUEST = b"\x02" + _TOPIC + b"\x02" + bytes(4) + b"\x00" + b"\x00" + b"\x00"


def _number(value: int, size: int) -> bytes:
    return value.to_bytes(size, "big", signed=True)


def _voter(node: int, end: int, fetched: int, caught_up: int) -> bytes:
    return _number(node, 4) + _number(end, 8) + _number(fetched, 8) + _number(caught_up, 8) + b"\x00"


def _answer(code: int, *voters: bytes, leader: int = 1) -> bytes:
    head = _number(0, 4) + _number(code, 2) + _number(leader, 4) + _number(7, 4) + _number(51, 8)
    partition = head + bytes([len(voters) + 1]) + b"".join(voters) + b"\x01" + b"\x00"
    return _number(0, 2) + b"\x02" + _TOPIC + b"\x02" + partition + b"\x00" + b"\x00"


def _decoded(raw: bytes) -> tuple[int, KRaftQuorum | None]:
    return quorum_in(DescribeQuorumResponseV1.decode(BytesIO(raw)))


def test_the_metadata_s_partition_is_asked_for() -> None:
    request = DescribeQuorum().prepare({55: (0, 2)})
    assert isinstance(request, DescribeQuorumRequestV1)
    assert request.encode() == _REQUEST


def test_an_answer_has_every_voter_with_its_times_in_seconds() -> None:
    stamped = 1_795_632_497_106
    raw = _answer(0, _voter(1, 52, stamped, stamped), _voter(2, 51, stamped - 426, -1))
    assert _decoded(raw) == (
        0,
        KRaftQuorum(
            leader=1,
            epoch=7,
            committed=51,
            voters=(
                KRaftReplica(node=1, end=52, fetched=1_795_632_497.106, caught_up=1_795_632_497.106),
                KRaftReplica(node=2, end=51, fetched=1_795_632_496.68, caught_up=-0.001),
            ),
        ),
    )


def test_a_refusal_has_its_code_wherever_it_stands() -> None:
    assert _decoded(_answer(6)) == (6, None)
    assert _decoded(_number(31, 2) + b"\x01\x00") == (31, None)


def _quorum(epoch: int, leader: int, *nodes: int) -> KRaftQuorum:
    voters = tuple(KRaftReplica(node=node, end=5, fetched=100.0, caught_up=100.0) for node in nodes)
    return KRaftQuorum(leader=leader, epoch=epoch, committed=5, voters=voters)


@dataclass
class _Servers:
    """Answers in place of a cluster."""

    answers: Sequence[KRaftQuorum] = ()
    closed: bool = False

    def ask(self) -> Sequence[KRaftQuorum]:
        return self.answers

    def close(self) -> None:
        self.closed = True


def _seen(collector: KRaft) -> QuorumSeen:
    [seen] = collector.collect(Clock(lambda: 1_000.0))
    assert isinstance(seen, QuorumSeen)
    return seen


def test_the_answer_of_the_newest_epoch_counts() -> None:
    collector = KRaft(_Servers([_quorum(3, 1, 1, 2, 3), _quorum(4, 2, 1, 2, 3), _quorum(3, 1, 1, 2, 3)]), "kafka")
    seen = _seen(collector)
    assert (seen.dataset, seen.system, seen.voters) == ("kafka", "kraft", ("1", "2", "3"))
    assert [(report.member, report.role, report.term) for report in seen.reports] == [
        ("1", Role.FOLLOWER, 4),
        ("2", Role.LEADER, 4),
        ("3", Role.FOLLOWER, 4),
    ]


def test_a_voter_of_which_the_leader_cannot_tell_yet_is_a_voter_all_the_same() -> None:
    quorum = _quorum(3, 1, 1, 2)
    unheard = KRaftReplica(node=3, end=-1, fetched=-0.001, caught_up=-0.001)
    seen = _seen(KRaft(_Servers([replace(quorum, voters=(*quorum.voters, unheard))]), "kafka"))
    assert (seen.voters, [report.member for report in seen.reports]) == (("1", "2", "3"), ["1", "2"])


def test_voters_are_remembered_while_no_leader_answers() -> None:
    servers = _Servers()
    collector = KRaft(servers, "kafka")
    with pytest.raises(ServerUnavailable, match="kafka quorum kafka"):
        _seen(collector)
    servers.answers = [_quorum(3, 1, 1, 2, 3)]
    _seen(collector)
    servers.answers = ()
    assert (_seen(collector).voters, _seen(collector).reports) == (("1", "2", "3"), ())
    collector.close()
    assert servers.closed


def test_what_cannot_be_asked_is_refused_before_anything_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    target, tls = KRaftTarget("kafka", ("k1:9092",)), {"security.protocol": "ssl"}
    kraft_collector(target, KafkaConnection("k1:9092")).close()
    with pytest.raises(ConfigurationError, match="cannot be used"):
        kraft_collector(target, KafkaConnection("k1:9092", {**tls, "ssl.ca.location": str(tmp_path / "absent")}))
    with pytest.raises(ConfigurationError, match="GSSAPI"):
        kraft_collector(target, KafkaConnection("k1:9092", {"security.protocol": "sasl_ssl"}))
    monkeypatch.setitem(sys.modules, "snowshed.producers.collectors.kraft.session", None)
    with pytest.raises(ConfigurationError, match=r"snowshed\[kraft\]"):
        kraft_collector(target, KafkaConnection("k1:9092"))
