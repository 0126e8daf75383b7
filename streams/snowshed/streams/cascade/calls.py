"""The calls of a domain by callee and by caller."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from operator import is_

from snowshed.streams.cascade.inbound import Inbound
from snowshed.streams.cascade.views import EdgeView

__all__ = ["Calls", "Edges", "calls"]

Edges = tuple[EdgeView, ...]
"""The same object as in the step before where no edge in it has changed."""


class Calls:
    """See `calls`."""

    def __init__(self, found: Sequence[Inbound], held: Mapping[str, Edges]) -> None:
        self.found = found
        self.held = held
        """Edges by caller, as they were when they were last asked for."""
        self.callees: Mapping[str, Edges] = {one.callee: one.edges for one in sorted(found, key=_first)}
        """Edges by callee, in the order of the first one's name."""

    @cached_property
    def callers(self) -> Mapping[str, Edges]:
        """Edges by caller, each in the order of the callees; made only where trouble asks for it."""
        lists: dict[str, list[EdgeView]] = {}
        for one in self.found:
            for edge in one.edges:
                lists.setdefault(edge.window.caller, []).append(edge)
        self.held = {caller: _kept(self.held.get(caller), edges) for caller, edges in lists.items()}
        return self.held


def calls(found: Sequence[Inbound], before: Calls | None) -> Calls:
    """The calls into these callees, which are in order; those of the step before where nothing has changed."""
    if before is not None and _same(before.found, found):
        return before
    return Calls(found, {} if before is None else before.held)


def _kept(held: Edges | None, edges: list[EdgeView]) -> Edges:
    return held if held is not None and _same(held, edges) else tuple(edges)


def _same(one: Sequence[object], other: Sequence[object]) -> bool:
    return len(one) == len(other) and all(map(is_, one, other))


def _first(inbound: Inbound) -> str:
    return inbound.edges[0].name
