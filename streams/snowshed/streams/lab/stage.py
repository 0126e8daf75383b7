"""The processes of one arrangement: services, proxies and the load, each where the others find it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from snowshed.streams.broker import free_ports
from snowshed.streams.lab.ledger import Ledger
from snowshed.streams.lab.processes import Hear, Process, Spec, child_command, environment_of
from snowshed.streams.lab.scenario import Scenario, edge
from snowshed.streams.lab.specs import LoadSpec, Place, ProxySpec

__all__ = ["Stage", "staged"]


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that runs."""

    processes: Mapping[str, Process]
    """By name: services, edges that have a proxy, and the load under its caller's name."""

    def order(self, name: str, order: Mapping[str, object]) -> None:
        """Tell one process something."""
        self.processes[name].order(**order)

    def begin(self, start: float) -> None:
        """Let all of them begin at a moment of the monotonic clock, which they share."""
        for process in self.processes.values():
            process.order(start=start)


@asynccontextmanager
async def staged(scenario: Scenario, place: Place, folder: Path, ledger: Ledger) -> AsyncGenerator[Stage]:
    """The processes of a scenario, started and ready; they end with the context.

    Args:
        scenario: what is played.
        place: how they are protected; ports are added.
        folder: for their logs.
        ledger: hears what they tell.

    Raises:
        ServerUnavailable: one of them did not start.
    """
    proxies, places = _placed(scenario, place)
    hears: dict[str, Hear] = {one.name: partial(ledger.from_service, one.name) for one in scenario.services}
    hears[scenario.load.caller] = ledger.from_load
    async with AsyncExitStack() as closing:
        running: dict[str, Process] = {}
        specs: list[Spec] = [*proxies, *scenario.services, scenario.load]
        for spec in specs:
            name = _name(spec)
            process = Process(
                name,
                child_command(spec, places.get(name, place)),
                environment_of(place),
                folder / f"{name.replace('>', '-')}.log",
                hears.get(name, _unheard),
            )
            closing.push_async_callback(process.stop)
            running[name] = await process.start()
        for process in running.values():
            await process.ready()
        yield Stage(running)


def _placed(scenario: Scenario, place: Place) -> tuple[list[ProxySpec], dict[str, Place]]:
    """The proxies, and each process's own view of who is where."""
    names = [service.name for service in scenario.services]
    taken = free_ports(len(names) + len(scenario.proxied))
    ports = dict(zip(names, taken, strict=False))
    proxies = [
        ProxySpec(name=edge(caller, callee), port=port, to=ports[callee])
        for (caller, callee), port in zip(scenario.proxied, taken[len(names) :], strict=True)
    ]
    places = {name: replace(place, ports=ports) for name in (*names, scenario.load.caller)}
    for (caller, callee), proxy in zip(scenario.proxied, proxies, strict=True):
        places[caller] = replace(place, ports={**places[caller].ports, callee: proxy.port})
    return proxies, places


def _name(spec: Spec) -> str:
    return spec.caller if isinstance(spec, LoadSpec) else spec.name


def _unheard(_message: object) -> None:
    """A proxy has nothing to tell."""
