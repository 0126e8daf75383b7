"""How trouble spreads along calls: the branching index b.

b = services that became anomalous in a window and are joined by a call to one that already was, divided by those that
already were. At b ≥ 1 the trouble doubles in each window.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

__all__ = ["branching", "entries", "joined", "reached"]


def branching(onsets: Mapping[str, float], edges: Iterable[tuple[str, str]], now: float, window: float) -> float:
    """The branching index of the window that ends now; 0 where nothing was anomalous before it.

    Args:
        onsets: since when each anomalous service is.
        edges: caller and callee of all calls.
        now: the window's end.
        window: its length.
    """
    before = {name for name, since in onsets.items() if since <= now - window}
    newly = {name for name, since in onsets.items() if now - window < since <= now}
    if not before or not newly:
        return 0.0
    reached = {
        one for caller, callee in edges for one, other in ((caller, callee), (callee, caller)) if other in before
    }
    return len(newly & reached) / len(before)


def joined(names: Iterable[str], edges: Iterable[tuple[str, str]]) -> list[set[str]]:
    """The names in groups that calls join, the largest first."""
    waiting = set(names)
    neighbours: dict[str, set[str]] = {name: set() for name in waiting}
    for caller, callee in edges:
        if caller in waiting and callee in waiting:
            neighbours[caller].add(callee)
            neighbours[callee].add(caller)
    groups: list[set[str]] = []
    while waiting:
        group = reached([min(waiting)], neighbours)
        groups.append(group)
        waiting -= group
    return sorted(groups, key=lambda group: (-len(group), min(group)))


def entries(edges: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """The calls through which work comes in: those whose caller nobody calls."""
    known = set(edges)
    called = {callee for _, callee in known}
    return {(caller, callee) for caller, callee in known if caller not in called}


def reached(starts: Iterable[str], neighbours: Mapping[str, set[str]]) -> set[str]:
    """The starts and all that can be reached from them, where each name leads to its neighbours."""
    found = set(starts)
    waiting = list(found)
    while waiting:
        fresh = neighbours.get(waiting.pop(), set()) - found
        found |= fresh
        waiting.extend(fresh)
    return found
