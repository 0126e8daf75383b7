"""The windows of all edges into a service put together: what the service itself did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import isnan, nan
from operator import add

from snowshed.streams.cascade.views import EdgeView
from snowshed.streams.stability.measured import Measured

__all__ = ["joined", "measured"]


def measured(edges: Sequence[EdgeView]) -> Measured:
    """The newest windows of all edges into a service as one."""
    # In the order of `EdgeWindow`: to look each up by its name takes as long as all that is done with them.
    columns = zip(*[edge.window for edge in edges], strict=True)
    _, _, span, _, first, attempts, ok, local, downstream, rejected, timeout, _, delay, _, _, _, p99, done, hits = (
        columns
    )
    known = not all(map(isnan, done))
    return Measured(
        at=edges[0].observed_at,
        span=max(span),
        first=sum(first),
        attempts=sum(attempts),
        ok=sum(ok),
        # A caller that the callee does not report counts with what it saw itself.
        completions=sum([seen if isnan(one) else one for one, seen in zip(done, ok, strict=True)]) if known else nan,
        rejected=sum(rejected),
        timeout=sum(timeout),
        errors=sum(map(add, local, downstream)),
        p99=max(p99),
        queue_delay=max([one for one in delay if not isnan(one)], default=nan),
        hits=_hits(hits),
    )


def _hits(column: Sequence[float]) -> float:
    """Of all callers that count them; a caller without a cache counts none."""
    counted = [hits for hits in column if not isnan(hits)]
    return sum(counted) if counted else nan


def joined(held: Measured | None, new: Measured) -> Measured:
    """A window after those that were too short to be judged alone."""
    if held is None:
        return new
    return replace(
        new,
        span=held.span + new.span,
        first=held.first + new.first,
        attempts=held.attempts + new.attempts,
        ok=held.ok + new.ok,
        completions=held.completions + new.completions,
        rejected=held.rejected + new.rejected,
        timeout=held.timeout + new.timeout,
        errors=held.errors + new.errors,
        p99=max(new.p99, held.p99),
        hits=held.hits + new.hits,
    )
