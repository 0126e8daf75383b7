"""What producers report: heartbeats, call timings, replication markers.

Times are seconds since the Unix epoch unless named monotonic; durations are seconds; NaN means not measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from math import nan

__all__ = [
    "GroupProgress",
    "Heartbeat",
    "Marker",
    "NodeStatus",
    "PositionUnit",
    "QuorumAnswers",
    "ReplicaRole",
    "SlowSample",
    "TimingBatch",
    "Vantage",
]


class NodeStatus(Enum):
    """What a node says of itself, or a host agent says of a process it saw end."""

    UP = "up"
    LEAVING = "leaving"
    ENDED = "ended"


class Vantage(Enum):
    """Which end of an edge measured it."""

    CALLER = "caller"
    CALLEE = "callee"


class ReplicaRole(Enum):
    """Which end of a replication stream a marker was taken at."""

    SOURCE = "source"
    REPLICA = "replica"


class PositionUnit(Enum):
    """What positions in a server's log count."""

    BYTES = "bytes"
    TRANSACTIONS = "transactions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """A node's sign of life with its own measure of how well it is.

    Strings come first and every number after them is fixed-width, so that a reader takes all numbers at once.
    """

    node: str
    service: str
    zone: str = ""
    region: str = ""
    role: str = ""
    host: str = ""
    version: str = ""
    status: NodeStatus = NodeStatus.UP
    seq: float
    """Beats since the process started; fixed-width, exact up to 2**53."""
    sent_at: float
    monotonic: float
    interval: float
    round_trip: float = nan
    """Smallest produce round trip seen lately: the bound on this node's clock-offset estimate."""
    local_health: float = 0.0
    """0 (well) to 7 (so slow itself that its own silence proves little); Lifeguard's score."""
    cpu: float = nan
    memory: float = nan
    network: float = nan
    run_queue: float = nan
    pool: float = nan
    tcp_established: float = nan
    tcp_syn_sent: float = nan
    tcp_close_wait: float = nan
    tcp_time_wait: float = nan


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowSample:
    """One slow call with what an operator needs to find it again."""

    row: int
    """Index of the timing row it belongs to."""
    started_at: float
    seconds: float
    outcome: str
    attempt: int
    evidence: str = ""
    """Trace id, statement text or whatever identifies the call; never parameter values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimingBatch:
    """All calls one reporter saw on the edges into one callee during one window, by column.

    Row `i` is the edge (`strings[caller[i]]`, `callee`) for operation `strings[operation[i]]` and statement
    `strings[statement[i]]` (a fingerprint, or the empty string). Every column has one number per row. The latency
    sketches of all rows lie end to end in `latency_bucket` and `latency_count`; row `i` owns the slice that ends at
    `latency_end[i]` and starts where the row before it ended. Indexes and counts travel as floats so that each column
    is contiguous IEEE 754 on the wire.
    """

    reporter: str
    service: str
    callee: str
    vantage: Vantage
    window_start: float
    window: float
    urgent: bool = False
    """Flushed before its time because of an anomaly."""
    lost: float = 0.0
    """Telemetry this reporter has dropped since it started, in records."""
    sent_at: float
    strings: tuple[str, ...]
    caller: tuple[float, ...]
    operation: tuple[float, ...]
    statement: tuple[float, ...]
    first: tuple[float, ...]
    """First attempts, F."""
    attempts: tuple[float, ...]
    """All attempts, A."""
    ok: tuple[float, ...]
    """Successes inside the deadline, G."""
    error_local: tuple[float, ...]
    error_downstream: tuple[float, ...]
    rejected: tuple[float, ...]
    timeout: tuple[float, ...]
    in_flight_max: tuple[float, ...]
    queue_delay_sum: tuple[float, ...]
    queue_delay_max: tuple[float, ...]
    latency_sum: tuple[float, ...]
    latency_end: tuple[float, ...]
    latency_bucket: tuple[float, ...]
    latency_count: tuple[float, ...]
    slow: tuple[SlowSample, ...] = ()
    cache_hits: tuple[float, ...] = ()
    """Requests that a cache answered, so that no call was made; empty where nobody counts them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """A replication marker: a row written at a source, or the newest such row seen at a replica.

    Source and replica markers of a dataset share a partition, so both clocks are measured against one broker's.
    """

    dataset: str
    replica: str
    """Name of the server the marker was taken at: the source's own name for role SOURCE."""
    role: ReplicaRole
    system: str
    node: str
    """The node whose clock stamped `sent_at` and `seen_at`."""
    writer: str
    """The node whose clock stamped `written_at`."""
    version: float
    written_at: float
    seen_at: float
    """For role SOURCE, when the row was known to be committed."""
    sent_at: float
    monotonic: float
    round_trip: float = nan
    row_period: float
    poll_period: float
    position: float = nan
    """Log applied at this server (PostgreSQL: replay LSN; MySQL: number of transactions)."""
    source_position: float = nan
    """Log written at the source, as far as this reporter knows."""
    unit: PositionUnit = PositionUnit.BYTES
    """What both positions count."""
    lost: float = 0.0
    """Records the reporter has dropped since it started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupProgress:
    """What one look at a consumer group shows, by column: its partitions that are furthest behind."""

    dataset: str
    group: str
    node: str
    """The node whose clock stamped the times."""
    asked: float
    """After commits were answered, before the ends were asked for."""
    answered: float
    period: float
    sent_at: float
    partitions: float
    """How many partitions the group is watched on."""
    lag: float
    """Records that the group is behind on all of them."""
    place: tuple[str, ...]
    """`topic/partition`."""
    committed: tuple[float, ...]
    """The next offset to read; -1 where the group never committed."""
    end: tuple[float, ...]
    owned: tuple[float, ...]
    """1 where a member has the partition assigned, 0 where none has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuorumAnswers:
    """What the voting members of a consensus group said of themselves in one round, by column."""

    dataset: str
    system: str
    node: str
    """The node whose clock stamped the times."""
    asked_at: float
    period: float
    sent_at: float
    voters: tuple[str, ...]
    """Every voting member, whether it answered or not."""
    member: tuple[str, ...]
    """Who answered."""
    role: tuple[str, ...]
    """`leader`, `follower`, `observer`, or `none` for a member that serves nobody."""
    in_sync: tuple[float, ...]
    """As a leader: voters that keep up, itself included; NaN from others."""
    pending: tuple[float, ...]
    """As a leader: proposals and followers that wait; NaN from others."""
    term: tuple[float, ...] = ()
    """Term or epoch it is in; NaN from who does not say. Empty in records from before there was such a column."""
    behind: tuple[float, ...] = ()
    """Records that it has not and the leader has, as the leader says; NaN where nobody does, empty as `term`."""
    unheard: tuple[float, ...] = ()
    """Seconds since the leader last heard from it; NaN where nobody says, empty as `term`."""
