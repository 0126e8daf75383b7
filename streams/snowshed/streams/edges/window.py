"""A closed window of one edge: the two vantages put together, and what they say of the edge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import nan

from snowshed.schemas.records import EdgeStatus, Vantage
from snowshed.streams.edges.baseline import Baseline, learned, usual
from snowshed.streams.edges.tally import Tally, quantile
from snowshed.streams.policy import EdgePolicy

__all__ = ["EdgeWindow", "closed", "status_of", "taught"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeWindow:
    """Counts over `span` seconds of one edge, in the names of `EdgeObservations`."""

    caller: str
    callee: str
    span: float
    reporters: float
    first: float
    attempts: float
    ok: float
    error_local: float
    error_downstream: float
    rejected: float
    timeout: float
    in_flight_max: float
    queue_delay_mean: float
    queue_delay_max: float
    p50: float
    p90: float
    p99: float
    completions: float = nan
    """Successes as the callee counts them, also those too late for their caller; NaN where only callers report."""
    cache_hits: float = nan
    """Requests that a cache in front of the callee answered; NaN where nobody counts them."""

    @property
    def amplification(self) -> float:
        """Attempts per first attempt, A/F; a window of retries alone counts one first attempt."""
        return self.attempts / max(self.first, 1.0)

    @property
    def ok_ratio(self) -> float:
        """Successes per attempt that was let through; NaN without one.

        Calls that a brake refused say nothing of the callee, and would keep the brake closed if they counted.
        """
        admitted = self.attempts - self.rejected
        return self.ok / admitted if admitted > 0.0 else nan


def closed(callee: str, views: Mapping[Vantage, Tally]) -> EdgeWindow:
    """The window of an edge that at least one end reported.

    Counts and latency are the caller's where it reports, because only it sees calls that never arrived; the queue delay
    is the callee's, which alone knows its queue.
    """
    ends = [views[vantage] for vantage in (Vantage.CALLER, Vantage.CALLEE) if vantage in views]
    view = next((end for end in ends if end.sums[1]), ends[0])
    queue = ends[-1]
    first, attempts, ok, error_local, error_downstream, rejected, timeout, _ = view.sums
    return EdgeWindow(
        caller=view.caller,
        callee=callee,
        span=view.covered / len(view.reporters),
        reporters=float(len(view.reporters)),
        first=first,
        attempts=attempts,
        ok=ok,
        error_local=error_local,
        error_downstream=error_downstream,
        rejected=rejected,
        timeout=timeout,
        in_flight_max=view.peaks[0],
        queue_delay_mean=queue.sums[7] / queue.sums[1] if queue.sums[1] else nan,
        queue_delay_max=queue.peaks[1],
        p50=quantile(view, 0.5),
        p90=quantile(view, 0.9),
        p99=quantile(view, 0.99),
        cache_hits=view.hits,
        completions=_completions(views.get(Vantage.CALLEE), view.covered / len(view.reporters)),
    )


def _completions(callee: Tally | None, span: float) -> float:
    # The ends do not cover quite the same time, and the counts of a window are over the span of the first.
    return callee.sums[2] * span * len(callee.reporters) / callee.covered if callee else nan


def status_of(window: EdgeWindow, baseline: Baseline, policy: EdgePolicy) -> EdgeStatus:
    """The edge's status in this window alone; one with few calls is OK, and an unknown baseline accuses nobody."""
    normal = usual(baseline, policy)
    if window.attempts < policy.minimum_attempts:
        return EdgeStatus.OK
    if window.amplification >= policy.amplification:
        return EdgeStatus.AMPLIFIED
    overloaded = (
        window.ok_ratio < policy.ok_ratio * normal.ok_ratio
        or window.queue_delay_mean > policy.queue_delay
        or window.p90 > policy.latency_factor * normal.p90
    )
    return EdgeStatus.OVERLOADED if overloaded else EdgeStatus.OK


def taught(baseline: Baseline, window: EdgeWindow, policy: EdgePolicy) -> Baseline:
    """The baseline after a sound window."""
    return learned(
        baseline,
        first_rate=window.first / window.span,
        ok_ratio=window.ok_ratio,
        p90=window.p90,
        attempts=window.attempts,
        policy=policy,
    )
