"""The troubles, each a normal fleet, a troubled one and the normal one again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from heapq import merge
from random import Random
from types import MappingProxyType

from snowshed.streams.simulate.events import Event
from snowshed.streams.simulate.fleet import NODES, NORMAL, Condition, Edge, Load, Span, beats, markers, timings

__all__ = ["SCENARIOS", "Scenario", "Timeline"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """How long each part of a scenario lasts, in seconds."""

    calm: float = 15.0
    """Long enough for the edges' normal values to be learned."""
    trouble: float = 12.0
    recovery: float = 25.0
    """Long enough for the incident to be closed again."""

    @property
    def total(self) -> float:
        """From the first event to the last."""
        return self.calm + self.trouble + self.recovery

    def phase(self, elapsed: float) -> str:
        """The part that a moment belongs to: calm, trouble or recovery."""
        if elapsed < self.calm:
            return "calm"
        return "trouble" if elapsed < self.calm + self.trouble else "recovery"

    def remaining(self, elapsed: float) -> float:
        """Seconds until the end."""
        return self.total - elapsed


@dataclass(frozen=True, slots=True)
class Scenario:
    """One kind of trouble."""

    name: str
    description: str
    normal: Condition
    troubled: Condition
    timeline: Timeline = Timeline()

    def lasting(self, trouble: float) -> Scenario:
        """The same with another length of the trouble, in seconds."""
        return replace(self, timeline=replace(self.timeline, trouble=trouble))

    def events(self, seed: int, *, start: float = 0.0) -> Iterator[Event]:
        """Everything the fleet reports, in the order of its times; the same for the same arguments.

        Args:
            seed: of all that is random.
            start: time of the first moment, seconds since the Unix epoch.
        """

        def condition(at: float) -> Condition:
            return self.troubled if self.timeline.phase(at - start) == "trouble" else self.normal

        span = Span(start, start + self.timeline.total, condition)
        sources = [beats(node, span, _random(seed, "beats", node)) for node in NODES]
        sources += [timings(node, span, _random(seed, "timings", node)) for node in NODES]
        if self.normal.replicated:
            sources.append(markers(span, _random(seed, "markers", "")))
        return merge(*sources, key=lambda event: event.at)


def _random(seed: int, what: str, node: str) -> Random:
    # One generator a source: what one of them draws does not change the others.
    return Random(f"{seed}/{what}/{node}")  # noqa: S311 - repeatable on purpose


def _loaded(changes: Mapping[Edge, Load]) -> Condition:
    return replace(NORMAL, loads=MappingProxyType({**NORMAL.loads, **changes}))


_REPLICATED = replace(NORMAL, replicated=True)

_ALL = (
    Scenario(
        "retry-storm",
        "what payments calls fails one call in seven, and orders tries again far more often than that",
        NORMAL,
        _loaded({("orders", "payments"): Load(rate=60.0, retries=0.9, failing_behind=0.15, latency=0.05)}),
    ),
    Scenario(
        "replica-lag",
        "replica r1 of orders-db receives writes but does not apply them",
        _REPLICATED,
        replace(_REPLICATED, stalled=frozenset({"r1"})),
    ),
    Scenario(
        "node-failure",
        "the process payments-2 is killed, and comes back",
        NORMAL,
        replace(
            _loaded({("orders", "payments"): Load(rate=60.0, timing_out=0.06, latency=0.03)}),
            silent=frozenset({"payments-2"}),
        ),
    ),
    Scenario(
        "overload",
        "twice the usual demand reaches orders, whose queue grows until calls time out",
        NORMAL,
        _loaded(
            {("gateway", "orders"): Load(rate=160.0, timing_out=0.35, failing=0.05, latency=0.4, queue_delay=0.25)}
        ),
        Timeline(recovery=75.0),
    ),
)

SCENARIOS: Mapping[str, Scenario] = MappingProxyType({scenario.name: scenario for scenario in _ALL})
"""Every scenario by name."""
