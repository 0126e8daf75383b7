"""Runs a fleet through its troubles, a second at a time; the same for the same arguments."""

from __future__ import annotations

from collections.abc import Iterator
from math import pi, sin

from snowshed.streams.simulate.queueing.agenda import Agenda
from snowshed.streams.simulate.queueing.draws import exponentials, generator, uniforms
from snowshed.streams.simulate.queueing.fleet import Fleet, Load
from snowshed.streams.simulate.queueing.line import Answer, Line, Serve
from snowshed.streams.simulate.queueing.observing import Observer
from snowshed.streams.simulate.queueing.seconds import Second
from snowshed.streams.simulate.queueing.station import Station
from snowshed.streams.simulate.queueing.troubles import Flush, Spike, Trouble
from snowshed.streams.simulate.queueing.world import World

__all__ = ["Simulation"]


class Simulation:
    """A fleet at work.

    Args:
        fleet: what it is made of.
        troubles: what befalls it.
        seed: of all that is random.
        observer: is told of each attempt that has ended.
    """

    def __init__(
        self, fleet: Fleet, troubles: tuple[Trouble, ...], seed: int, observer: Observer | None = None
    ) -> None:
        self._world = World(Agenda(), troubles, seed, observer)
        stations = {service.name: Station(service, troubles, seed) for service in fleet.services}
        self.lines = [Line(link, stations[link.callee], self._world) for link in fleet.links]
        self._connect()
        for load in fleet.loads:
            _Source(load, self._line(load.caller, load.callee), self._world)

    @property
    def events(self) -> int:
        """Events worked off so far."""
        return self._world.agenda.happened

    def seconds(self, count: int) -> Iterator[tuple[Second, ...]]:
        """What happens in each of the next seconds, edge by edge in the order of the fleet's links."""
        for second in range(count):
            self._world.agenda.run_until(second + 1.0)
            yield tuple(
                line.tally.close(second, line.link.caller, line.link.callee, line.station.capacity(second + 0.5))
                for line in self.lines
            )

    def _connect(self) -> None:
        for line in self.lines:
            onward = [each for each in self.lines if each.link.caller == line.link.callee]
            if onward:
                line.serve = _serving(onward, self._world.seed, line)
        for trouble in self._world.troubles:
            if isinstance(trouble, Flush):
                self._world.agenda.put(trouble.start, self._flush, trouble)

    def _flush(self, _now: float, trouble: Flush) -> None:
        if cache := self._line(trouble.caller, trouble.callee).cache:
            cache.flush()

    def _line(self, caller: str, callee: str) -> Line:
        return next(line for line in self.lines if (line.link.caller, line.link.callee) == (caller, callee))


def _serving(onward: list[Line], seed: int, line: Line) -> Serve:
    chance = uniforms(generator(seed, "calls", line.link.caller, line.link.callee))

    def serve(now: float, replica: int, answer: Answer) -> None:
        calls: list[Line] = []
        for each in onward:
            whole = int(each.link.calls)
            calls += [each] * (whole + (next(chance) < each.link.calls - whole))
        _in_turn(iter(calls), replica, answer)(now, True)

    return serve


def _in_turn(calls: Iterator[Line], replica: int, answer: Answer) -> Answer:
    """Makes the next call whenever the one before it has succeeded."""

    def proceed(now: float, succeeded: bool) -> None:
        line = next(calls, None) if succeeded else None
        if line is None:
            answer(now, succeeded)
        else:
            line.call(now, replica, proceed)

    return proceed


class _Source:
    """Brings a load's requests in."""

    def __init__(self, load: Load, line: Line, world: World) -> None:
        name = f"{load.caller}>{load.callee}"
        self._load, self._line, self._agenda = load, line, world.agenda
        self._spikes = [
            each
            for each in world.troubles
            if isinstance(each, Spike) and (each.caller, each.callee) == (load.caller, load.callee)
        ]
        self._gaps = exponentials(generator(world.seed, "arrivals", name))
        self._chance = uniforms(generator(world.seed, "thinning", name))
        self._peak = 1.0 + load.swing
        for spike in self._spikes:
            self._peak *= max(1.0, spike.factor)
        self._steady = not load.swing and not self._spikes
        self._next(0.0)

    def _next(self, now: float) -> None:
        self._agenda.put(now + next(self._gaps) / (self._load.rate * self._peak), self._arrive)

    def _arrive(self, now: float, _argument: None) -> None:
        # Arrivals come at the highest rate, and are thinned out where the rate is lower.
        if self._steady or next(self._chance) * self._peak < self._shape(now):
            self._line.call(now, 0, None)
        self._next(now)

    def _shape(self, now: float) -> float:
        shape = 1.0 + self._load.swing * sin(2 * pi * now / self._load.period)
        for spike in self._spikes:
            if spike.start <= now < spike.start + spike.seconds:
                shape *= spike.factor
        return shape
