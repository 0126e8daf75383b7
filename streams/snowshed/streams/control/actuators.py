"""Our own actuators as a graph: who moves each one, how often, and on which other it acts.

A cycle of controllers that each are right can still be unstable. So there is no cycle here whose loops run at nearly
the same speed: the slowest on a cycle is five times as slow as the fastest, or the cycle is not allowed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

__all__ = ["ACTUATORS", "SEPARATION", "Actuator", "cycles", "unsafe"]

SEPARATION = 5.0
"""Least ratio of the slowest to the fastest period on a cycle."""


@dataclass(frozen=True, slots=True)
class Actuator:
    """One thing that something moves."""

    owner: str
    """The only one that moves it."""
    period: float
    """Seconds between two moves, at least."""
    acts_on: tuple[str, ...]
    """Actuators whose input it changes."""


ACTUATORS: Mapping[str, Actuator] = {
    "local brakes": Actuator("Guard", 0.2, ("degrade level", "admitted rate", "breaker", "exit programme", "replicas")),
    "retry budget": Actuator("level 2, control", 1.0, ("local brakes",)),
    "breaker": Actuator("level 2, control", 1.0, ("local brakes",)),
    "admitted rate": Actuator("level 2, control", 1.0, ("local brakes",)),
    "degrade level": Actuator("level 2, control", 10.0, ("local brakes", "retry budget", "breaker", "admitted rate")),
    "exit programme": Actuator("level 2, control", 5.0, ("degrade level", "admitted rate", "retry budget")),
    "consistency": Actuator("level 2, replica lag", 10.0, ()),
    "replicas": Actuator("autoscaler, outside", 60.0, ("local brakes",)),
}
"""Periods are of moves there and back: a level may be entered at once, but it is held for the dwell."""


def cycles(graph: Mapping[str, Actuator]) -> Iterator[tuple[str, ...]]:
    """Every simple cycle, each once, from its first name in order."""
    for start in sorted(graph):
        yield from _paths(graph, start, (start,))


def unsafe(graph: Mapping[str, Actuator]) -> list[tuple[str, ...]]:
    """The cycles whose periods are not separated."""
    found: list[tuple[str, ...]] = []
    for cycle in cycles(graph):
        periods = [graph[name].period for name in cycle]
        if max(periods) < SEPARATION * min(periods):
            found.append(cycle)
    return found


def _paths(graph: Mapping[str, Actuator], start: str, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for name in graph[path[-1]].acts_on:
        if name == start:
            yield path
        elif name > start and name not in path:
            yield from _paths(graph, start, (*path, name))
