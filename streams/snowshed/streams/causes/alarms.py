"""Notices that something is wrong, interval by interval.

All alarms that overlap are one incident. While one is open nothing is learned: a baseline must not learn an outage.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, nan

from snowshed.streams.causes.deviation import AlarmPolicy, Component, Reading, Whole, values_of
from snowshed.streams.causes.history import component_samples
from snowshed.streams.causes.intervals import Interval

__all__ = ["Alarm", "Watch"]

_DAY = 86_400.0


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
        self._open_for = 0
        self._calm_for = 0
        self._rung = False
        self.loudest: Alarm | None = None
        """The alarm or, until there is one, the interval that came nearest to it."""

    @property
    def open(self) -> bool:
        """Whether an incident is going on."""
        return self._open_for > 0

    def take(self, interval: Interval) -> Alarm | None:
        """Judge one interval; the alarm if an incident begins with it."""
        values = {name: values_of(sample) for name, sample in component_samples(interval).items()}
        for name in self._components.keys() - values.keys():
            values[name] = {"requests": 0.0} if "requests" in self._components[name].usual else {}
        chances = max(len(values) * _DAY / interval.dt / self._policy.false_alarms, 100.0)
        volumes = [component.volume for component in self._components.values()]
        whole = Whole(
            max((one.time for one in volumes), default=0.0), max((one.requests for one in volumes), default=0.0)
        )
        readings = {name: self._component(name).read(found, chances, whole) for name, found in values.items()}
        ringing = [name for name, reading in readings.items() if self._rings(name, reading, interval)]
        if self.open:
            self._go_on(bool(ringing))
            return None
        nearest = self._alarm(ringing or list(readings), readings, interval) if readings else None
        if nearest is not None and (ringing or not self._rung):
            self._hear(nearest, rung=bool(ringing))
        if ringing:
            self._open_for, self._calm_for = 1, 0
            return nearest
        for name, found in values.items():
            self._components[name].learn(found, readings[name])
        return None

    def _hear(self, alarm: Alarm, *, rung: bool) -> None:
        if (
            self.loudest is None
            or rung > self._rung
            or alarm.z / alarm.threshold > self.loudest.z / self.loudest.threshold
        ):
            self.loudest = alarm
        self._rung = self._rung or rung

    def _component(self, name: str) -> Component:
        return self._components.setdefault(name, Component(self._policy))

    def _rings(self, name: str, reading: Reading, interval: Interval) -> bool:
        component = self._components[name]
        if not reading.over:
            component.over_since = nan
            return False
        again = isfinite(component.over_since)
        if not again:
            component.over_since = interval.t
        return again or reading.deviation > reading.once

    def _go_on(self, ringing: bool) -> None:
        self._open_for += 1
        self._calm_for = 0 if ringing else self._calm_for + 1
        if self._calm_for >= self._policy.calm:
            self._open_for = 0
        elif self._open_for > self._policy.relearn:
            self._open_for = 0
            for component in self._components.values():
                component.forget()

    def _alarm(self, ringing: list[str], readings: dict[str, Reading], interval: Interval) -> Alarm:
        worst = max(ringing, key=lambda name: (readings[name].deviation / readings[name].twice, name))
        reading = readings[worst]
        return Alarm(
            t=min(
                (since for name in ringing if isfinite(since := self._components[name].over_since)), default=interval.t
            ),
            known_at=interval.known_at,
            node=worst,
            metric=reading.metric,
            z=reading.deviation,
            threshold=reading.twice,
            members=tuple(sorted(ringing)),
        )
