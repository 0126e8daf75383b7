"""All edges into one callee as one value of the state: they are reported, judged and written together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from snowshed.streams.cascade.views import EdgeView

__all__ = ["Inbound", "inbound", "remembered", "renewed"]


@dataclass(frozen=True, slots=True, eq=False)
class Inbound:
    """The edges into a callee. Made by `inbound` alone; the same object means that nothing about them has changed."""

    callee: str
    edges: tuple[EdgeView, ...]
    """At least one, by name."""
    callers: tuple[str, ...]
    """Of each edge."""
    oldest: float
    """When the one that has been silent longest was last observed."""

    @property
    def key(self) -> str:
        """State key."""
        return f"inbound/{self.callee}"


def inbound(callee: str, edges: Iterable[EdgeView], held: Inbound | None = None) -> Inbound:
    """The edges into a callee, newer ones in place of those that were held."""
    before = held.edges if held is not None else ()
    found = {edge.window.caller: edge for edge in before}
    found |= {edge.window.caller: edge for edge in edges}
    # A dict keeps the order of what it replaces, so that only a new caller disturbs it.
    ordered = tuple(found.values() if len(found) == len(before) else sorted(found.values(), key=_name))
    callers = tuple([edge.window.caller for edge in ordered])
    return Inbound(callee, ordered, callers, min([edge.observed_at for edge in ordered]))


def renewed(held: Inbound, edges: tuple[EdgeView, ...], now: float) -> Inbound:
    """The same edges in the same order, all observed now: what is most often so costs a tenth of `inbound`."""
    return Inbound(held.callee, edges, held.callers, now)


def remembered(held: Inbound, now: float, age: float) -> Inbound | None:
    """What is left of it without edges that have been silent for longer than `age` seconds; None for nothing."""
    if now <= held.oldest + age:
        return held
    kept = [edge for edge in held.edges if now <= edge.observed_at + age]
    return inbound(held.callee, kept) if kept else None


def _name(edge: EdgeView) -> str:
    return edge.name
