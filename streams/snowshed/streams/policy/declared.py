"""What one service, one replicated dataset and one consensus group ask for. The marks are those of `policy.policy`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType

__all__ = [
    "Beyond",
    "ConsistencyPolicy",
    "Criticality",
    "DatasetPolicy",
    "Declared",
    "LostControl",
    "QuorumPolicy",
    "ServicePolicy",
]


class Declared(Enum):
    """What a dataset keeps while its servers are cut off from each other."""

    CP = "cp"
    """Consistency: the side without a majority takes no writes."""
    AP = "ap"
    """Availability: every side answers, within a bound of staleness."""


class Beyond(Enum):
    """What becomes of a read that no server can answer within the bound."""

    REFUSE = "refuse"
    SERVE_MARKED = "serve_marked"
    """It is answered and marked with its age."""


class LostControl(Enum):
    """What a writer does that cannot hear decisions."""

    LOCAL = "local"
    """It writes on: losing the log is no evidence of being the minority."""
    FENCE = "fence"
    """It stops once its lease runs out."""


class Criticality(Enum):
    """How much the service matters, in the SRE book's four classes."""

    CRITICAL_PLUS = "critical_plus"
    """Its inflow is never cut, as if it were `protected`."""
    CRITICAL = "critical"
    SHEDDABLE_PLUS = "sheddable_plus"
    SHEDDABLE = "sheddable"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePolicy:
    """What one service asks for."""

    domain: str = ""
    """Call graph it can fail together with; empty for the default domain."""
    protected: bool = False
    """Its inflow is never cut by a decision: rate and degrade decisions spare it."""
    criticality: Criticality | None = None
    """How much it matters; None for no statement."""
    concurrency: float | None = None
    """Calls it can work on at once, for the time left until it fails; None where nobody knows."""
    capacity: float | None = None
    """Calls a second it is known to bear, for its vulnerability; None where nobody knows."""
    retries: float | None = None
    """Retries that a request to it may cost: attempts − 1 or the retry budget; None for the most that were seen."""
    drops_expired: bool = False
    """Whether it drops calls that nobody waits for any more, so that callers may give up earlier in trouble."""
    consistency: Declared | None = None
    """What its datasets keep during a cut, where they do not say so themselves; None for no decision."""
    bound: float | None = None
    """Seconds of staleness that an `ap` read may have, of its datasets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetPolicy:
    """What one replicated dataset asks for."""

    domain: str = ""
    """Domain that judges it; empty for the default domain."""
    slo: float | None = None
    """Seconds a replica may be behind; None for the general objective."""
    objective: float | None = None
    """Share of time that its replicas are to be within those seconds; None for the general share."""
    protected: bool = False
    """Reads are never steered by a decision, and writes never fenced."""
    service: str = ""
    """Service that owns it, whose consistency holds where it states none itself."""
    leader: str = ""
    """Service that takes its writes, and sheds them by priority while every replica falls behind; empty for none."""
    consistency: Declared | None = None
    """What it keeps during a cut; None for what its service says, or no decision."""
    bound: float | None = None
    """Seconds of staleness that an `ap` read may have; there is no default."""
    beyond: Beyond = Beyond.REFUSE
    """What becomes of an `ap` read that no server can answer within the bound."""
    on_lost_control: LostControl = LostControl.LOCAL
    """What its writers do when they cannot hear decisions."""
    lease: float | None = None
    """Seconds that a writer writes on without having heard of decisions, under `on_lost_control = "fence"`."""
    fencing_token: bool = False
    """Whether the store itself refuses writes with an older token; a lease needs it."""
    quorum: str = ""
    """Consensus group whose reports say which side of a cut can commit; empty for one of the dataset's own name."""
    places: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """By server its name in the graph of calls, where that is another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuorumPolicy:
    """A consensus group."""

    voters: tuple[str, ...] = ()
    """Names of all voting members, as the group itself calls them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsistencyPolicy:
    """How decisions about consistency come and go."""

    unfence: int = 2
    """Reports of the store in a row that prove a majority before a fence is taken back [P]."""
    fresh: float = 0.5
    """Share of the bound that every replica must be within before an answer is no longer marked [P]."""
    evidence: float = 10.0
    """Seconds after which a report of the store proves nothing any more [P]."""
    throttle_from: float = 0.25
    """Share of the objective, but 1 s at least, from which the freshest replica's lag slows a leader's writes [P]."""
    throttle_drain: float = 10.0
    """Seconds in which lag beyond half of the objective is to be worked off [P]."""
