"""A service at work: its replicas' queues and what it refuses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from snowshed.streams.simulate.queueing.draws import exponentials, generator, uniforms
from snowshed.streams.simulate.queueing.fleet import Service
from snowshed.streams.simulate.queueing.server import Server
from snowshed.streams.simulate.queueing.troubles import Deploy, Gray, Trouble, speed_steps

__all__ = ["REFUSED", "Station"]

REFUSED = -1.0
"""Stands for the moment at which a request will be done that is not taken."""


@dataclass(frozen=True, slots=True)
class _Absence:
    start: float
    end: float
    replica: int


class Station:
    """A service at work.

    Args:
        service: what it is.
        troubles: all of the simulation's.
        seed: of the simulation.
    """

    def __init__(self, service: Service, troubles: Sequence[Trouble], seed: int) -> None:
        self.service = service
        count = service.replicas
        rate = service.capacity / count
        self._servers = [Server(rate, speed_steps(service.name, index, troubles)) for index in range(count)]
        self._work = exponentials(generator(seed, "work", service.name))
        self._chance = uniforms(generator(seed, "chance", service.name))
        self._absences = tuple(_absences(service, troubles))
        self._gray = tuple(each for each in troubles if isinstance(each, Gray) and each.service == service.name)
        self._rotation = list(range(count))
        self._rotation_until = -inf if self._absences else inf

    def receive(self, now: float, deadline: float) -> tuple[float, float, int, bool]:
        """Take a request or refuse it: when it is taken up, when it is done, by which replica, and whether it fails."""
        if now >= self._rotation_until:
            self._rotate(now)
        rotation = self._rotation
        replica = rotation[0] if len(rotation) == 1 else rotation[int(next(self._chance) * len(rotation))]
        server, service = self._servers[replica], self.service
        if server.free_at - now > service.shed_above:
            if service.reject_cost:
                server.take(now, service.reject_cost)
            return now, REFUSED, replica, False
        if service.drops_expired and server.free_at > deadline:
            return server.free_at, inf, replica, False
        start, end = server.take(now, next(self._work))
        return start, end, replica, bool(self._gray) and self._fails(replica, start)

    def capacity(self, now: float) -> float:
        """Units of work a second, of the replicas in the rotation."""
        if now >= self._rotation_until:
            self._rotate(now)
        return sum(self._servers[index].rate_at(now) for index in self._rotation)

    def _fails(self, replica: int, now: float) -> bool:
        return any(
            gray.replica == replica
            and gray.start <= now < gray.start + gray.seconds
            and next(self._chance) < gray.failing
            for gray in self._gray
        )

    def _rotate(self, now: float) -> None:
        absent = {each.replica for each in self._absences if each.start <= now < each.end}
        everyone = range(self.service.replicas)
        self._rotation = [index for index in everyone if index not in absent] or list(everyone)
        changes = [moment for each in self._absences for moment in (each.start, each.end) if moment > now]
        self._rotation_until = min(changes, default=inf)


def _absences(service: Service, troubles: Sequence[Trouble]) -> list[_Absence]:
    deploys = [each for each in troubles if isinstance(each, Deploy) and each.service == service.name]
    return [_Absence(*deploy.absence(index), index) for deploy in deploys for index in range(service.replicas)]
