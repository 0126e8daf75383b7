"""Notices that something is wrong, interval by interval.

All alarms that overlap are one incident. While one is open nothing is learned: a baseline must not learn an outage.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from snowshed.streams.causes.alarm_policy import AlarmPolicy
from snowshed.streams.causes.calls import Reading, Whole
from snowshed.streams.causes.component import Component
from snowshed.streams.causes.history import component_samples
from snowshed.streams.causes.intervals import Interval, Sample

__all__ = ["Alarm", "Watch"]

_DAY = 86_400.0
_FLEET = 4
"""Components from which on it tells something that most of them do the same."""
_DEMAND = 0.4
"""Share of the components that are busier at once because more is asked of them; that is nobody's fault."""
_NEARLY = 0.7
"""Of what rings; how busy a component must be to count among those that are."""
_OBSERVER = 0.5
"""Share of the components whose silence at once accuses nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """Something began to be wrong."""

    t: float
    """Start of the first interval that is out of the usual."""
    known_at: float
    """End of the interval in which that was decided."""
    node: str
    """The component farthest out."""
    metric: str
    """Its series farthest out."""
    z: float
    """How far: robust deviations."""
    threshold: float
    members: tuple[str, ...]
    """All components that ring with it."""


class Watch:
    """Follows a stream; one alarm an incident.

    Args:
        policy: when to ring.
    """

    def __init__(self, policy: AlarmPolicy | None = None) -> None:
        self._policy = policy or AlarmPolicy()
        self._components: dict[str, Component] = {}
        self._open = False
        self._calm_for = 0
        self.newest: Alarm | None = None
        """The newest alarm or, until there is one, the interval that came nearest to it."""
        self._rung = False

    @property
    def open(self) -> bool:
        """Whether an incident is going on."""
        return self._open

    def take(self, interval: Interval) -> Alarm | None:
        """Judge one interval; the alarm if an incident begins with it."""
        samples: dict[str, Sample | None] = {**component_samples(interval)}
        missing = self._components.keys() - samples.keys()
        if len(self._components) >= _FLEET and len(missing) > _OBSERVER * len(self._components):
            # Where most are silent at once it is the observer that is blind.
            return None
        samples |= dict.fromkeys(missing)
        chances = max(len(samples) * _DAY / interval.dt / self._policy.false_alarms, 100.0)
        volumes = [component.volume for component in self._components.values()]
        whole = Whole(
            max((one.time for one in volumes), default=0.0), max((one.requests for one in volumes), default=0.0)
        )
        readings = {
            name: self._component(name, interval).read(sample, interval.t, chances, whole)
            for name, sample in samples.items()
        }
        ringing = _ringing(readings)
        for name, component in self._components.items():
            component.rings_for = component.rings_for + 1 if name in ringing else 0
        stirring = [name for name in ringing if self._components[name].rings_for <= self._policy.standing]
        nearest = _alarm(ringing or list(readings), readings, interval) if readings else None
        fresh = bool(stirring) and not self.open
        if nearest is not None and (fresh or not self._rung):
            self._hear(nearest, rings=fresh)
        if self.open or fresh:
            self._open = bool(stirring) or self._calm_for < self._policy.calm
            self._calm_for = 0 if stirring else self._calm_for + 1
        self._learn(readings, ringing)
        return nearest if fresh else None

    def _hear(self, alarm: Alarm, *, rings: bool) -> None:
        held = self.newest
        if rings or held is None or alarm.z / alarm.threshold > held.z / held.threshold:
            self.newest = alarm
        self._rung = self._rung or rings

    def _component(self, name: str, interval: Interval) -> Component:
        if name not in self._components:
            self._components[name] = Component(self._policy, interval.dt)
        return self._components[name]

    def _learn(self, names: Iterable[str], ringing: Sequence[str]) -> None:
        if not self.open and not ringing:
            for name in names:
                self._components[name].learn()
        for name in ringing:
            if self._components[name].rings_for > self._policy.relearn:
                self._components[name].forget()


def _ringing(readings: Mapping[str, Reading]) -> list[str]:
    """Who rings, without those that are only busier when most are."""
    ringing = [name for name, reading in readings.items() if reading.over]
    busier = [name for name, reading in readings.items() if reading.busier and reading.ratio > _NEARLY]
    if len(readings) >= _FLEET and len(busier) > _DEMAND * len(readings):
        return [name for name in ringing if not readings[name].busier]
    return ringing


def _alarm(ringing: list[str], readings: Mapping[str, Reading], interval: Interval) -> Alarm:
    worst = max(ringing, key=lambda name: (readings[name].ratio, name))
    reading = readings[worst]
    return Alarm(
        t=min((since for name in ringing if isfinite(since := readings[name].since)), default=interval.t),
        known_at=interval.known_at,
        node=worst,
        metric=reading.metric,
        z=reading.deviation,
        threshold=reading.threshold,
        members=tuple(sorted(ringing)),
    )
