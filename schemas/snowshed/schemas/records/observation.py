"""What level 1 concludes and hands to level 2: health of nodes and edges, replication lag.

`NodeHealth`, `EdgeObservations` and `Lag` travel on the observations topic, keyed by domain; `NodeHealth`, `EdgeHealth`
and `Lag` also stand on their compacted topics as the current state of the world, where level 2 adds `ServiceHealth`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from math import nan

__all__ = [
    "EdgeHealth",
    "EdgeObservations",
    "EdgeStatus",
    "Lag",
    "LagStatus",
    "Liveness",
    "NodeHealth",
    "ServiceHealth",
    "ServiceStatus",
]


class Liveness(Enum):
    """State of a node in the failure detector."""

    ALIVE = "alive"
    SUSPECT = "suspect"
    DEAD = "dead"
    LEFT = "left"
    OBSERVER_SUSPECT = "observer_suspect"
    """So many nodes fell silent at once that the path to them is the likelier culprit."""


class EdgeStatus(Enum):
    """State of a call edge."""

    OK = "ok"
    OVERLOADED = "overloaded"
    AMPLIFIED = "amplified"
    SILENT = "silent"


class ServiceStatus(Enum):
    """State of a called service as level 2 judges it."""

    STABLE = "stable"
    TRIGGERED = "triggered"
    """It fails, and the trigger still acts or has only just gone."""
    RECOVERING = "recovering"
    """The trigger has gone, and it is on its way back."""
    PROVISIONAL = "provisional"
    """Half of the time to the verdict METASTABLE is over."""
    METASTABLE = "metastable"
    """The trigger has gone, and something that it does itself keeps it in trouble."""
    CAPACITY_LOSS = "capacity_loss"
    """It does less than its usual work while as much is asked of it."""


class LagStatus(Enum):
    """State of a replica against its lag objective."""

    FRESH = "fresh"
    BEHIND = "behind"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeHealth:
    """What the failure detector holds of one node."""

    domain: str
    node: str
    service: str
    zone: str
    host: str
    status: Liveness
    since: float
    last_seen: float
    interval: float
    phi: float
    observed_at: float
    detector_lag: float
    cpu: float = nan
    memory: float = nan
    pool: float = nan
    clock_ahead: float = 0.0
    """Proved lead of the node's clock over the broker's; negative where it is behind, 0 where neither is proved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeHealth:
    """The last window of one call edge, for people and dashboards."""

    domain: str
    caller: str
    callee: str
    status: EdgeStatus
    since: float
    observed_at: float
    rate: float
    """Attempts per second."""
    error_ratio: float
    rejected_ratio: float
    amplification: float
    """Attempts per first attempt, A/F."""
    p50: float
    p90: float
    p99: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceHealth:
    """How a called service stands, and how close it is to a state that it could not leave by itself."""

    domain: str
    service: str
    status: ServiceStatus
    observed_at: float
    detector_lag: float
    demand: float
    """Usual first attempts per second; NaN while too little has been seen."""
    inflow: float
    """Attempts per second, newest."""
    throughput: float
    """Completions per second, newest; NaN where only callers report."""
    vulnerability_low: float
    """V = ρ·(1 + r) is at least this; above 1 a trigger may leave it metastable. NaN where no bound is known."""
    vulnerability_high: float
    """V is at most this; NaN where no bound is known."""
    vulnerability_method: str
    """How ρ was found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeObservations:
    """The last window of every edge of a domain that one level-1 partition owns, by column.

    Row `i` is the edge (`strings[caller[i]]`, `strings[callee[i]]`). Counts are sums over `span[i]` seconds;
    `base_*` are the learned normal values, NaN while too little has been seen.
    """

    domain: str
    partition: int
    observed_at: float
    detector_lag: float
    strings: tuple[str, ...]
    caller: tuple[float, ...]
    callee: tuple[float, ...]
    span: tuple[float, ...]
    reporters: tuple[float, ...]
    first: tuple[float, ...]
    attempts: tuple[float, ...]
    ok: tuple[float, ...]
    error_local: tuple[float, ...]
    error_downstream: tuple[float, ...]
    rejected: tuple[float, ...]
    timeout: tuple[float, ...]
    in_flight_max: tuple[float, ...]
    queue_delay_mean: tuple[float, ...]
    queue_delay_max: tuple[float, ...]
    p50: tuple[float, ...]
    p90: tuple[float, ...]
    p99: tuple[float, ...]
    base_first_rate: tuple[float, ...]
    base_ok_ratio: tuple[float, ...]
    base_p90: tuple[float, ...]
    completions: tuple[float, ...] = ()
    """Successes as the callee counts them, also those too late for their caller; NaN where only callers report.

    Empty in records from before there was such a column.
    """
    cache_hits: tuple[float, ...] = ()
    """Requests that a cache in front of the callee answered; NaN where nobody counts them.

    Empty in records from before there was such a column.
    """
    cut_edge: tuple[float, ...] = ()
    """Indexes of rows, one for each node of a caller that is cut off from the callee while its siblings are not."""
    cut_node: tuple[float, ...] = ()
    """Index into strings of that node, beside `cut_edge`."""
    cut_calls: tuple[float, ...] = ()
    """Its calls since its last success, beside `cut_edge`."""
    mute_edge: tuple[float, ...] = ()
    """Indexes of rows of whose caller some nodes, half of those that reported at most, have no success any more."""
    mute_calls: tuple[float, ...] = ()
    """Calls of those nodes in the row's window, which say nothing of the callee, beside `mute_edge`."""
    lost_callee: tuple[float, ...] = ()
    """One entry a reporter whose reports on a callee are missing: the callee's index into `strings`.

    All columns of losses are empty where nothing is known to be missing, and in older records.
    """
    lost_reporter: tuple[float, ...] = ()
    """Index into `strings` of who sent them."""
    lost_by_caller: tuple[float, ...] = ()
    """1 where the reporter is a caller, 0 where it is the callee."""
    lost_reports: tuple[float, ...] = ()
    """Reports that never came."""
    lost_calls: tuple[float, ...] = ()
    """Calls that they were about, if each had as many as the reporter's newest."""
    lost_of: tuple[float, ...] = ()
    """Calls a second that all reporters of the same end are known to report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """How far a replica is behind its source: an interval that holds the truth, never a point."""

    domain: str
    dataset: str
    replica: str
    system: str
    status: LagStatus
    since: float
    low: float
    """Seconds; the replica is at least this stale."""
    high: float
    """Seconds; the replica is at most this stale."""
    bytes_behind: float
    poll_period: float
    slo: float
    observed_at: float
    detector_lag: float
    evidence_offset: int
    """Offset of the newest marker used, in the marker topic's partition `evidence_partition`."""
    evidence_partition: int
    transactions_behind: float | None = None
    """Transactions not yet applied, where the system counts those."""
    pairs: float | None = None
    """Writes whose visibility at this replica was looked for; None where it was not measured."""
    censored_share: float | None = None
    """Share of them that had not been seen when looking ended."""
    t50: float | None = None
    """Seconds after which this share of writes is visible; None while too few pairs tell, or beyond what was seen."""
    t99: float | None = None
    t999: float | None = None
    stale_age: float | None = None
    """Age of a write, in seconds, that `stale_share` is about."""
    stale_share: float | None = None
    """Probability that a read here does not show a write of that age."""
    burn: float | None = None
    """How fast the dataset spends its error budget; 1 spends it exactly by the end of its period."""
    budget_left: float | None = None
    """Share of the dataset's error budget that is left; negative when the objective is missed."""
    alert: str = ""
    """Whom the burn rates should call, `ticket` or `page`; empty for nobody."""
    tolerates: float | None = None
    """Failures that a consensus group is known to bear beside those it has; None for any other replica."""
    condition: str = ""
    """State of a consumer group or of a quorum; empty for any other replica."""
    note: str = ""
    """What the condition rests on, in a few words."""
    inside: tuple[str, ...] = ()
    """Voters of a consensus group that are known to take part in its majority."""
