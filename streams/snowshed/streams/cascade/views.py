"""What level 2 remembers of each node, edge and replica: the newest observation and how long it has been bad."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from snowshed.schemas.records import Lag, NodeHealth
from snowshed.streams.cascade.dues import NOTHING, Dues
from snowshed.streams.cascade.observations import Place
from snowshed.streams.edges.baseline import Baseline
from snowshed.streams.edges.queueing import queue_limit
from snowshed.streams.edges.window import EdgeWindow
from snowshed.streams.policy import OverloadPolicy

__all__ = ["CURRENT", "RESTING", "EdgeView", "LagView", "NodeView", "Sample", "Streak", "queues"]

CURRENT = 3.0
"""Seconds after which an edge's newest window no longer speaks of the present."""


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


class Streak(NamedTuple):
    """Consecutive windows in which a condition held."""

    windows: int = 0
    covered: float = 0.0
    """Seconds these windows span."""
    last: float = 0.0
    """When a window was last not clear of the condition; 0 for never."""

    def lasts(self, hold: float) -> bool:
        """Whether at least two windows that cover `hold` seconds showed the condition."""
        return self.windows >= 2 and self.covered >= hold


RESTING = Streak()
"""Before the first window that is not clear."""


class Sample(NamedTuple):
    """First and all attempts of one window, for ratios over a sliding span."""

    at: float
    first: float
    attempts: float


class EdgeView(NamedTuple):
    """An edge as last reported, with its recent past.

    A named tuple, as all that it consists of: one is made for each edge and window, which costs a dataclass twice as
    much.
    """

    domain: str
    observed_at: float
    window: EdgeWindow
    baseline: Baseline
    place: Place
    samples: tuple[Sample, ...] = ()
    amplified: Streak = RESTING
    overloaded: Streak = RESTING
    failing: Streak = RESTING
    """Windows in which far more calls than usual failed by the callee's own doing."""
    cut: Streak = RESTING
    """Windows in which calls were made and none succeeded."""
    heard: float = 0.0
    """When the callee last told what it did of these calls; 0 for never."""
    piling: Streak = RESTING
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
