"""The calls of a domain by callee and by caller, and what rests on them alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from operator import is_
from typing import Any, TypeVar

from snowshed.streams.cascade.inbound import Inbound
from snowshed.streams.cascade.memory import Lasting, Memory
from snowshed.streams.cascade.views import EdgeView

__all__ = ["Calls", "Edges", "calls"]

V = TypeVar("V")

Edges = tuple[EdgeView, ...]
"""The same object as in the step before where no edge in it has changed."""


class Calls:
    """See `calls`."""

    def __init__(self, found: Sequence[Inbound], held: Mapping[str, Edges], memory: Memory) -> None:
        self.found = found
        self.held = held
        """Edges by caller, as they were when they were last asked for."""
        self.memory = memory
        """What was worked out of some edges, which may be the same although others are not; it turns with the calls."""
        self.callees: Mapping[str, Edges] = {one.callee: one.edges for one in sorted(found, key=_first)}
        """Edges by callee, in the order of the first one's name."""
        self._known: dict[tuple[str, str], Any] = {}

    @cached_property
    def callers(self) -> Mapping[str, Edges]:
        """Edges by caller, each in the order of the callees; made only where trouble asks for it."""
        lists: dict[str, list[EdgeView]] = {}
        for one in self.found:
            for edge in one.edges:
                lists.setdefault(edge.window.caller, []).append(edge)
        self.held = {caller: _kept(self.held.get(caller), edges) for caller, edges in lists.items()}
        return self.held

    def once(self, what: str, name: str, work: Callable[[], V]) -> V:
        """What rests on these calls alone, worked out only once: while no edge changes, one look-up gives it.

        Args:
            what: kind of the value.
            name: of what it is, among those of its kind.
            work: works it out.
        """
        key = (what, name)
        if key not in self._known:
            self._known[key] = work()
        return self._known[key]  # type: ignore[no-any-return]  # of the kind that its name says

    def around(self, what: str, name: str, work: Callable[[], V]) -> V:
        """The same of what rests on the edges into and out of one service alone.

        Once any edge changes, it is worked out again only where one of these is another.
        """

        def recalled() -> V:
            made_of = (self.callees.get(name), self.callers.get(name))
            return self.memory.recalled(what, name, made_of, 0.0, lambda: Lasting(work()))

        return self.once(what, name, recalled)


def calls(found: Sequence[Inbound], before: Calls | None) -> Calls:
    """The calls into these callees, which are in order; those of the step before where nothing has changed."""
    if before is None:
        return Calls(found, {}, Memory())
    if _same(before.found, found):
        return before
    before.memory.turn()
    return Calls(found, before.held, before.memory)


def _kept(held: Edges | None, edges: list[EdgeView]) -> Edges:
    return held if held is not None and _same(held, edges) else tuple(edges)


def _same(one: Sequence[object], other: Sequence[object]) -> bool:
    return len(one) == len(other) and all(map(is_, one, other))


def _first(inbound: Inbound) -> str:
    return inbound.edges[0].name
