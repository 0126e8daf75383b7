from math import isnan

from snowshed.producers import MarkerReporter, MemoryTransport, Node, TransportStats
from snowshed.schemas.records import Marker, ReplicaRole

_NODE = Node(name="agent-1", service="agent")


def _only(transport: MemoryTransport) -> Marker:
    (sent,) = transport.sent
    assert isinstance(sent.record, Marker)
    assert (sent.topic, sent.key) == ("markers", sent.record.dataset)
    return sent.record


def test_a_row_written_is_reported_from_the_source_by_its_own_writer() -> None:
    transport = MemoryTransport(TransportStats(round_trip=0.003, lost=4))
    MarkerReporter(_NODE, transport, system="postgresql").written(
        "orders", "pg-1", version=7, written_at=50.0, row_period=0.5, took=0.25, position=1024.0
    )
    marker = _only(transport)
    assert marker.role is ReplicaRole.SOURCE
    assert (marker.dataset, marker.replica, marker.system) == ("orders", "pg-1", "postgresql")
    assert marker.node == marker.writer == "agent-1"
    assert (marker.version, marker.written_at, marker.seen_at, marker.row_period) == (7, 50.0, 50.25, 0.5)
    assert (marker.position, marker.source_position, marker.round_trip) == (1024.0, 1024.0, 0.003)
    assert marker.lost == 4.0


def test_a_row_seen_is_reported_from_the_replica_with_both_clocks_named() -> None:
    transport = MemoryTransport()
    MarkerReporter(_NODE, transport).seen(
        "orders",
        "pg-2",
        version=7,
        writer="agent-9",
        written_at=50.0,
        seen_at=51.5,
        poll_period=0.25,
        row_period=0.5,
        source_position=2048.0,
        system="mariadb",
    )
    marker = _only(transport)
    assert marker.role is ReplicaRole.REPLICA
    assert (marker.node, marker.writer, marker.system) == ("agent-1", "agent-9", "mariadb")
    assert (marker.written_at, marker.seen_at, marker.poll_period) == (50.0, 51.5, 0.25)
    assert isnan(marker.position)
    assert marker.source_position == 2048.0
