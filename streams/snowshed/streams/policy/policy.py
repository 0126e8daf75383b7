"""Every threshold that level 1 and level 2 judge by, with its default and where the default comes from.

Marks: [F] published fact, [F2] published but second-hand, [P] Snowshed's own choice, [S] from simulation.
Durations are seconds, ratios 0 to 1 unless a factor is named.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from snowshed.streams.policy.control import ControlPolicy, FeaturePolicy
from snowshed.streams.policy.decisions import DecisionPolicy
from snowshed.streams.policy.declared import (
    ConsistencyPolicy,
    Criticality,
    DatasetPolicy,
    Declared,
    QuorumPolicy,
    ServicePolicy,
)
from snowshed.streams.policy.groups import GroupPolicy
from snowshed.streams.policy.mapping import build
from snowshed.streams.policy.stability import CascadePolicy, ChangePolicy, MetastablePolicy
from snowshed.streams.policy.statements import StatementPolicy

__all__ = [
    "EdgePolicy",
    "HealthPolicy",
    "LagPolicy",
    "OverloadPolicy",
    "Policy",
    "RetryPolicy",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthPolicy:
    """When a silent node is suspected and when it is convicted."""

    suspect_phi: float = 5.0
    """Suspicion level that makes a node SUSPECT; Hayashibara et al. 2004 give the formula, 5 is [P]."""
    window: float = 200.0
    """Effective number of intervals the mean and deviation remember [P]."""
    minimum_deviation: float = 0.05
    """Floor of the deviation in seconds: schedulers and batching jitter by this much [P]."""
    relative_deviation: float = 0.1
    """Floor of the deviation as a share of the mean interval [P]."""
    unconfirmed_beats: float = 2.0
    """Beats from suspicion to conviction when no caller confirms, where beats come in time [P; memberlist has 4, F]."""
    latest: float = 10.0
    """Most seconds by which late beats may put conviction off [P]."""
    unconfirmed_minimum: float = 2.0
    """Seconds that conviction without confirmation takes at least [P]."""
    confirmed_beats: float = 2.0
    """Beats from suspicion to conviction with full confirmation [P on memberlist's form, F]."""
    confirmations: int = 2
    """Callers whose timeouts or refusals confirm a death in full, k [P]."""
    gray_growth: float = 5.0
    """Times the usual share of failing calls from which a caller complains; Panorama's observers [P on F]."""
    gray_least: float = 0.01
    """Share of failing calls that passes for usual, however rarely they fail [P]."""
    gray_most: float = 0.5
    """Share of failing calls from which a caller complains in any case [P]."""
    gray_attempts: float = 20.0
    """Calls in a window below which nothing is judged; Hystrix's 20 [F]."""
    partition_calls: float = 5.0
    """Calls a window that must be made on a link before its silence means anything [P]."""
    flap_half_life: float = 300.0
    """Seconds in which a node's penalty for having been convicted halves [P; 15 min for routes, RFC 2439]."""
    flap_hold: float = 2.0
    """Penalty from which a node that is back still counts as failed; each conviction adds 1 (RFC 2439) [F]."""
    flap_release: float = 0.75
    """Penalty below which it is let go (RFC 2439) [F]."""
    correlated_share: float = 0.5
    """Share of a partition's nodes that, silent at once, accuse the observer instead [P]."""
    correlated_nodes: int = 4
    """Fewer nodes than this say nothing about the observer [P]."""
    clock_off: float = 1.0
    """Seconds by which a node's clock may be off; etcd complains of its peers' from 1 s on [F]."""
    refresh: float = 5.0
    """Longest time between two reports of an unchanged node [P]."""
    forget: float = 3600.0
    """Time after which a node that left or died is forgotten [P]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgePolicy:
    """How call timings become one observation an edge and window."""

    window: float = 1.0
    """Length of a window [P]."""
    urgent_window: float = 0.25
    """Length of a window once a reporter flushed because of an anomaly [P]."""
    health_refresh: float = 2.0
    """Shortest time between two reports of an edge whose status is unchanged [P]."""
    silent_after: float = 10.0
    """Time without calls after which an edge is SILENT [P]."""
    forget: float = 600.0
    """Time without calls after which an edge and its baseline are forgotten [P]."""
    learning_windows: int = 10
    """Windows with traffic before a baseline is believed [P]."""
    learning_rate: float = 0.05
    """Weight of a new window in a baseline once it is believed [P]."""
    minimum_attempts: float = 20.0
    """Attempts in a window below which it is too thin to judge; Hystrix's 20 [F]."""
    amplification: float = 1.5
    """Attempts per first attempt at which an edge is AMPLIFIED [P]."""
    ok_ratio: float = 0.7
    """An edge is OVERLOADED below this share of its usual success ratio [P]."""
    latency_factor: float = 3.0
    """An edge is OVERLOADED when its p90 exceeds this multiple of the usual one [P]."""
    cut_off_calls: float = 10.0
    """Calls of one node that must have failed, and of its siblings that must have succeeded, before it counts as cut
    off from their callee [P]."""
    queue_delay: float = 0.02
    """An edge is OVERLOADED when the mean queue delay exceeds this, DAGOR's 20 ms [F2], or the usual p90 latency where
    that is more [P]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LagPolicy:
    """How replication markers become an interval of staleness."""

    slo: float = 2.0
    """Seconds a replica may be behind unless its dataset says otherwise [P]."""
    offset_window: float = 300.0
    """Time over which a node's clock offset is the smallest delay seen [P]."""
    drift_rate: float = 50e-6
    """Relative drift between two clocks within that window, 50 ppm [P]."""
    unknown_round_trip: float = 0.25
    """Bound on a node's one-way delay while it has measured none [P]."""
    settled_samples: int = 10
    """Delays a clock estimate needs before the node's own round trip bounds its error [P]."""
    silent_periods: float = 3.0
    """Reporting periods without a marker, plus `silent_margin`, that make the lag UNKNOWN [P]."""
    silent_margin: float = 1.0
    """Seconds beside those periods [P]."""
    refresh: float = 1.0
    """Shortest time between two reports of a replica whose status is unchanged [P]."""
    forget: float = 3600.0
    """Time without markers after which a server is forgotten [P]."""
    visibility_window: float = 3600.0
    """Time over which delays of writes are kept: at two rows a second, 7200 of them, enough for a 99.9th percentile
    with a band [P]."""
    objective: float = 0.999
    """Share of time that replicas are to be inside their objective unless their dataset says otherwise; the SRE
    Workbook's example [F]."""

    @property
    def drift(self) -> float:
        """Seconds two clocks may drift apart within the offset window: 15 ms by default."""
        return self.drift_rate * self.offset_window


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """When retries amplify, and how far they are cut back."""

    act: float = 1.5
    """Attempts per first attempt, A/F, that call for action where first attempts are flat [P]."""
    certain: float = 2.0
    """The same where they are not: retries of a caller's caller arrive as first attempts, so that in a chain of
    retrying services no edge below the first is flat [P]."""
    warn: float = 1.2
    """Attempts per first attempt, A/F, below which amplification may end [P]."""
    flat: float = 0.1
    """First attempts at most this share above their usual rate count as flat [P]."""
    hold: float = 0.5
    """Seconds that two or more observations must cover before a condition counts [P]."""
    carry: float = 5.0
    """Sliding span over which A/F is taken, so that a window without first attempts divides by none [P]."""
    minimum_attempts: float = 20.0
    """Attempts in that span below which nothing is judged; Hystrix's 20 [F]."""
    budget: float = 0.05
    """Retries allowed as a share of first attempts while amplification is contained (degrade level 1) [P]."""
    attempt_cap: int = 3
    """Attempts allowed in all; the SRE book's 3 [F2]."""
    clean: float = 5.0
    """Seconds without the condition that end it [P]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OverloadPolicy:
    """When a callee is overloaded, and how its inflow is cut and restored."""

    ok_ratio: float = 0.7
    """Overloaded below this share of the usual success ratio [P]."""
    queue_delay: float = 0.02
    """Target of the mean queue delay q*; DAGOR's 20 ms [F2]. It is the usual p90 latency where that is more [P]."""
    latency_factor: float = 3.0
    """Overloaded when p90 exceeds this multiple of the usual one [P]."""
    hold: float = 0.5
    """Seconds that two or more observations must cover before overload counts [P]."""
    minimum_attempts: float = 20.0
    """Attempts that reached the callee, a second, below which nothing is judged; Hystrix's 20 [F]."""
    missed: float = 0.01
    """Share of calls not answered in time that passes for harmless, however rare they usually are [P]."""
    noise: float = 3.0
    """Standard deviations of a Poisson count that still pass for chance [P]."""
    growth: float = 0.1
    """Rise of the queue delay as a share of the time passed: work comes that much faster than it is done [P]."""
    lasting: float = 10.0
    """Seconds of overload that harm although every call is answered in time [P]."""
    gathers: float = 5.0
    """Longest time over which the calls of a quiet edge are put together [P; Hystrix counts its 20 over 10 s, F]."""
    exponent: float = 0.5
    """Gain of the rate law r ← r·(q*/q)^exponent; below 1 after Aperture [P]."""
    largest_cut: float = 0.5
    """A decision never multiplies the rate by less than this [P]."""
    largest_rise: float = 1.25
    """A decision never multiplies the rate by more than this [P]."""
    rise: float = 1.01
    """Growth of the rate a step beside the last one that showed a queue [P]; DAGOR's step up [F2]."""
    approach: float = 0.5
    """Growth of the rate a step, as a share of its distance from that one [P]."""
    headroom: float = 1.15
    """Share of the rate before the incident that the rate may rise to while its level is held and all is clear: so that
    neither a demand that has grown nor chance is cut for nothing [P]."""
    minimum_multiplier: float = 0.05
    """The rate never falls below this share of the rate before the incident [P]."""
    step: float = 0.75
    """Shortest time between two steps of the rate: a little less than a window, so that each window steps once [P]."""
    escalate: float = 2.0
    """Seconds that retry budgets alone may need before the inflow is cut too, where more is asked than can be borne
    [P]."""
    reject_ratio: float = 0.05
    """Rejected share of attempts that calls for level 2 at once, where more is asked than can be borne [P]."""
    exit_ratio: float = 0.5
    """Overload ends below this share of the excess that began it: hysteresis 2:1 [P]."""
    dwell: float = 10.0
    """Shortest time at a level before it may fall [P]."""
    clean: tuple[float, ...] = (10.0, 20.0, 30.0)
    """Seconds without overload before each level from 1 to 3 is left [P]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """All thresholds and what services and datasets ask for; immutable, so that a fold stays a pure function."""

    version: int = 1
    """Format of the file; there is only 1."""
    default_domain: str = "default"
    """Domain of every service and dataset that names none."""
    health: HealthPolicy = field(default_factory=HealthPolicy)
    edges: EdgePolicy = field(default_factory=EdgePolicy)
    lag: LagPolicy = field(default_factory=LagPolicy)
    groups: GroupPolicy = field(default_factory=GroupPolicy)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    overload: OverloadPolicy = field(default_factory=OverloadPolicy)
    control: ControlPolicy = field(default_factory=ControlPolicy)
    decisions: DecisionPolicy = field(default_factory=DecisionPolicy)
    change: ChangePolicy = field(default_factory=ChangePolicy)
    metastable: MetastablePolicy = field(default_factory=MetastablePolicy)
    cascade: CascadePolicy = field(default_factory=CascadePolicy)
    statements: StatementPolicy = field(default_factory=StatementPolicy)
    consistency: ConsistencyPolicy = field(default_factory=ConsistencyPolicy)
    services: Mapping[str, ServicePolicy] = field(default_factory=lambda: MappingProxyType({}))
    datasets: Mapping[str, DatasetPolicy] = field(default_factory=lambda: MappingProxyType({}))
    quorums: Mapping[str, QuorumPolicy] = field(default_factory=lambda: MappingProxyType({}))
    features: Mapping[str, FeaturePolicy] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, object]) -> Policy:
        """Build a policy from nested tables such as a parsed TOML file; what is absent keeps its default.

        Raises:
            ConfigurationError: naming every dotted key that is unknown or has a wrong value.
        """
        return build(cls, mapping)

    def domain_of(self, service: str) -> str:
        """Domain that judges a service."""
        named = self.services.get(service)
        return (named.domain if named else "") or self.default_domain

    def domain_of_dataset(self, dataset: str) -> str:
        """Domain that judges a dataset's replicas."""
        named = self.datasets.get(dataset)
        return (named.domain if named else "") or self.default_domain

    def slo_of(self, dataset: str) -> float:
        """Seconds a replica of the dataset may be behind."""
        named = self.datasets.get(dataset)
        return self.lag.slo if named is None or named.slo is None else named.slo

    def objective_of(self, dataset: str) -> float:
        """Share of time that the dataset's replicas are to be inside their objective."""
        named = self.datasets.get(dataset)
        return self.lag.objective if named is None or named.objective is None else named.objective

    def protects(self, service: str) -> bool:
        """Whether decisions must spare the service's inflow."""
        named = self.services.get(service)
        return named is not None and (named.protected or named.criticality is Criticality.CRITICAL_PLUS)

    def features_off(self, service: str, level: int) -> tuple[str, ...]:
        """Features that are switched off while a service is at a degrade level, by name."""
        return tuple(
            sorted(name for name, one in self.features.items() if one.service == service and level >= one.level)
        )

    def protects_dataset(self, dataset: str) -> bool:
        """Whether decisions must leave the dataset's reads alone."""
        named = self.datasets.get(dataset)
        return named is not None and named.protected

    def consistency_of(self, dataset: str) -> tuple[Declared | None, float | None]:
        """What a dataset keeps during a cut, and its bound: its own statement, or else its service's."""
        own = self.datasets.get(dataset)
        if own is None:
            return None, None
        if own.consistency is not None:
            return own.consistency, own.bound
        owner = self.services.get(own.service)
        return (None, None) if owner is None else (owner.consistency, owner.bound)
