"""What level 2 remembers of each node, edge and replica: the newest observation and how long it has been bad."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from math import nan

from snowshed.schemas.records import EdgeObservations, Lag, NodeHealth
from snowshed.streams.cascade.dues import NOTHING, Dues
from snowshed.streams.cascade.observations import Place
from snowshed.streams.edges.baseline import Baseline
from snowshed.streams.edges.queueing import queue_limit
from snowshed.streams.edges.window import EdgeWindow
from snowshed.streams.policy import OverloadPolicy

__all__ = ["CURRENT", "EdgeView", "LagView", "NodeView", "Sample", "Streak", "extended", "queues", "windows"]

CURRENT = 3.0
"""Seconds after which an edge's newest window no longer speaks of the present."""
_NUMBERS = [item.name for item in fields(EdgeWindow) if item.name not in {"caller", "callee"}]


@dataclass(frozen=True, slots=True)
class NodeView:
    """A node as last reported."""

    health: NodeHealth
    place: Place
    penalty: float = 0.0
    """What it was charged for having been convicted, when that was last done."""
    charged: float = 0.0
    """When that was."""


@dataclass(frozen=True, slots=True)
class LagView:
    """A replica as last reported."""

    lag: Lag
    place: Place

    @property
    def is_source(self) -> bool:
        """Whether it is the source itself, which alone is exactly 0 to 0 seconds behind."""
        return self.lag.high == 0.0

    @property
    def is_quorum(self) -> bool:
        """Whether it is a consensus group, which is behind nobody."""
        return self.lag.tolerates is not None


@dataclass(frozen=True, slots=True)
class Streak:
    """Consecutive windows in which a condition held."""

    windows: int = 0
    covered: float = 0.0
    """Seconds these windows span."""
    last: float = 0.0
    """When a window was last not clear of the condition; 0 for never."""

    def lasts(self, hold: float) -> bool:
        """Whether at least two windows that cover `hold` seconds showed the condition."""
        return self.windows >= 2 and self.covered >= hold


@dataclass(frozen=True, slots=True)
class Sample:
    """First and all attempts of one window, for ratios over a sliding span."""

    at: float
    first: float
    attempts: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeView:
    """An edge as last reported, with its recent past."""

    domain: str
    observed_at: float
    window: EdgeWindow
    baseline: Baseline
    place: Place
    samples: tuple[Sample, ...] = ()
    amplified: Streak = field(default_factory=Streak)
    overloaded: Streak = field(default_factory=Streak)
    failing: Streak = field(default_factory=Streak)
    """Windows in which far more calls than usual failed by the callee's own doing."""
    cut: Streak = field(default_factory=Streak)
    """Windows in which calls were made and none succeeded."""
    heard: float = 0.0
    """When the callee last told what it did of these calls; 0 for never."""
    piling: Streak = field(default_factory=Streak)
    """Windows in which the queue rose as fast as when more comes than is done."""
    excess: float = 0.0
    """The worst signal of what was judged last over its limit, as the overload rule sees it."""
    dues: Dues = NOTHING
    """What it has failed and made wait beyond the usual of late."""
    gathering: EdgeWindow | None = None
    """Windows too thin to be judged alone."""
    gathered: EdgeWindow | None = None
    """What was judged last, where that was several such windows."""
    cut_nodes: tuple[tuple[str, float], ...] = ()
    """Nodes of its caller that are cut off from the callee, with their calls since the last success."""

    @property
    def name(self) -> str:
        """`caller>callee`."""
        return f"{self.window.caller}>{self.window.callee}"

    @property
    def judged(self) -> EdgeWindow:
        """What its streaks rest on: the newest window, or several where it has few calls."""
        return self.gathered or self.window


def queues(edge: EdgeView, policy: OverloadPolicy) -> bool:
    """Whether the queue at the edge's end is long."""
    return edge.judged.queue_delay_mean > queue_limit(policy.queue_delay, edge.baseline.p90)


def extended(streak: Streak, *, bad: bool, clear: bool, span: float, now: float) -> Streak:
    """The streak after one more window; one that is neither bad nor clear keeps it from ending."""
    if bad:
        return Streak(streak.windows + 1, streak.covered + span, now)
    if clear:
        return Streak(last=streak.last) if streak.windows else streak
    return Streak(streak.windows, streak.covered, now if streak.last else 0.0)


def windows(record: EdgeObservations) -> Iterator[tuple[EdgeWindow, Baseline, tuple[tuple[str, float], ...]]]:
    """The rows of an observation as windows with their usual values and the nodes that are cut off."""
    strings, unknown = record.strings, (nan,) * len(record.span)
    edges = [[strings[int(index)] for index in column] for column in (record.caller, record.callee)]
    columns = [getattr(record, name) or unknown for name in _NUMBERS]
    baselines = map(Baseline, record.base_first_rate, record.base_ok_ratio, record.base_p90)
    nodes: dict[int, tuple[tuple[str, float], ...]] = {}
    for number, node, calls in zip(record.cut_edge, record.cut_node, record.cut_calls, strict=True):
        nodes[int(number)] = (*nodes.get(int(number), ()), (strings[int(node)], calls))
    for number, (baseline, *row) in enumerate(zip(baselines, *edges, *columns, strict=True)):
        yield EdgeWindow(*row), baseline, nodes.get(number, ())
