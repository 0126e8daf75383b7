"""The windows of all edges into a service put together: what the service itself did."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import isnan, nan
from operator import add

from snowshed.streams.cascade.views import EdgeView
from snowshed.streams.edges.window import EdgeWindow
from snowshed.streams.stability.measured import Measured

__all__ = ["joined", "measured"]

_SPAN = EdgeWindow._fields.index("span")
_COUNTS = slice(EdgeWindow._fields.index("first"), EdgeWindow._fields.index("timeout") + 1)
_DONE = EdgeWindow._fields.index("completions")
"""After which stand the cache's hits, which are counts as well."""


def measured(edges: Sequence[EdgeView]) -> Measured:
    """The newest windows of all edges into a service as one, as long as the longest of them."""
    # In the order of `EdgeWindow`: to look each up by its name takes as long as all that is done with them.
    columns = list(zip(*[edge.window for edge in edges], strict=True))
    spans, span = columns[_SPAN], max(columns[_SPAN])
    if min(spans) < span:
        columns[_COUNTS] = _stretched(columns[_COUNTS], spans, span)
        columns[_DONE:] = _stretched(columns[_DONE:], spans, span)
    _, _, _, _, first, attempts, ok, local, downstream, rejected, timeout, _, delay, _, _, _, p99, done, hits = columns
    known = not all(map(isnan, done))
    return Measured(
        at=edges[0].observed_at,
        span=span,
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


def _stretched(
    columns: Sequence[tuple[float, ...]], spans: Sequence[float], span: float
) -> Iterator[tuple[float, ...]]:
    """Counts over one span: a reporter that sees something wrong closes its windows earlier than others do."""
    return (tuple([count * span / own for count, own in zip(column, spans, strict=True)]) for column in columns)


def _done(held: Measured, new: Measured) -> float:
    """Completions of both; a part in which the callee has not reported is taken to be like the other."""
    span = held.span + new.span
    if isnan(held.completions):
        return new.completions * span / new.span
    return held.completions * span / held.span if isnan(new.completions) else held.completions + new.completions


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
        completions=_done(held, new),
        rejected=held.rejected + new.rejected,
        timeout=held.timeout + new.timeout,
        errors=held.errors + new.errors,
        p99=max(new.p99, held.p99),
        hits=held.hits + new.hits,
    )
