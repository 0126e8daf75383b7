from __future__ import annotations

from math import isnan

from snowshed.producers.collectors import CallTiming, CallTimings, Reporter, RowSeen, RowWritten
from snowshed.producers.collectors.base import GroupSeen, PartitionBehind, QuorumSeen
from snowshed.producers.collectors.host import host_node
from snowshed.producers.testing import MemoryTransport
from snowshed.producers.transport import TransportStats
from snowshed.schemas.members import MemberReport, Role
from snowshed.schemas.records import GroupProgress, Marker, QuorumAnswers, ReplicaRole, TimingBatch


def _reporter() -> tuple[Reporter, MemoryTransport]:
    transport = MemoryTransport(TransportStats(lost=7, round_trip=0.004))
    return Reporter(host_node("host@a"), transport), transport


def test_a_row_that_was_written_becomes_a_marker_of_the_source() -> None:
    reporter, transport = _reporter()
    reporter.report(
        RowWritten(
            dataset="orders",
            source="primary",
            system="postgresql",
            version=4,
            written_at=100.0,
            row_period=0.5,
            position=4096.0,
        )
    )
    [sent] = transport.sent
    assert (sent.topic, sent.key) == ("markers", "orders")
    assert isinstance(sent.record, Marker)
    assert sent.record.role is ReplicaRole.SOURCE
    assert (sent.record.replica, sent.record.writer, sent.record.version) == ("primary", "host@a", 4)
    assert (sent.record.written_at, sent.record.position, sent.record.round_trip) == (100.0, 4096.0, 0.004)
    assert sent.record.system == "postgresql"


def test_a_row_that_was_seen_keeps_its_writers_name_and_time() -> None:
    reporter, transport = _reporter()
    reporter.report(
        RowSeen(
            dataset="orders",
            replica="r1",
            system="postgresql",
            version=4,
            writer="host@b",
            written_at=100.0,
            seen_at=103.0,
            row_period=0.5,
            poll_period=0.25,
            position=4000.0,
            source_position=4096.0,
        )
    )
    [sent] = transport.sent
    assert isinstance(sent.record, Marker)
    assert sent.record.role is ReplicaRole.REPLICA
    assert (sent.record.replica, sent.record.node, sent.record.writer) == ("r1", "host@a", "host@b")
    assert (sent.record.written_at, sent.record.seen_at) == (100.0, 103.0)
    assert (sent.record.position, sent.record.source_position) == (4000.0, 4096.0)
    assert (sent.record.row_period, sent.record.poll_period) == (0.5, 0.25)


def test_timings_travel_under_their_callee_with_the_telemetry_lost_so_far() -> None:
    reporter, transport = _reporter()
    call = CallTiming(caller="shop", operation="SELECT", statement="ab12", latencies=((0.01, 5),))
    reporter.report(CallTimings(callee="orders", window_start=100.0, window=1.0, calls=(call,)))
    [sent] = transport.sent
    assert (sent.topic, sent.key) == ("timings", "orders")
    assert isinstance(sent.record, TimingBatch)
    assert sent.record.lost == 7


def test_a_look_at_a_group_and_a_round_of_answers_become_records_by_column() -> None:
    reporter, transport = _reporter()
    worst = PartitionBehind(place="orders/0", committed=None, end=7, owned=True)
    reporter.report(
        GroupSeen(dataset="orders", group="g", asked=1.0, answered=2.0, period=1.0, partitions=3, lag=9, worst=(worst,))
    )
    leader = MemberReport(member="z1", at=1.0, role=Role.LEADER, term=4, in_sync=2, pending=0)
    answers = (leader, MemberReport(member="z2", at=1.0, role=Role.FOLLOWER, behind=3, unheard=0.5))
    voters = ("z1", "z2", "z3")
    reporter.report(
        QuorumSeen(dataset="zk", system="zookeeper", asked_at=1.0, period=1.0, voters=voters, reports=answers)
    )
    look, quorum = (sent.record for sent in transport.sent)
    assert [(sent.topic, sent.key) for sent in transport.sent] == [("markers", "orders"), ("markers", "zk")]
    assert isinstance(look, GroupProgress)
    assert (look.place, look.committed, look.end, look.owned) == (("orders/0",), (-1.0,), (7.0,), (1.0,))
    assert isinstance(quorum, QuorumAnswers)
    assert (quorum.voters, quorum.role, quorum.in_sync[0]) == (voters, ("leader", "follower"), 2.0)
    assert isnan(quorum.in_sync[1])
    assert quorum.term[0] == 4.0
    assert isnan(quorum.behind[0])
    assert (quorum.behind[1], quorum.unheard[1]) == (3.0, 0.5)
