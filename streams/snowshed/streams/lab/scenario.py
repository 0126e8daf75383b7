"""What is played: services, a load, and what is done to them at which second; frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil

from snowshed.schemas.errors import ConfigurationError
from snowshed.streams.lab.specs import LoadSpec, Patience, ServiceSpec

__all__ = ["BROKER", "Act", "Scenario", "edge"]

BROKER = "broker"
"""Target of acts that stop and start the Kafka broker."""
_SHORTEST = 0.15


@dataclass(frozen=True, slots=True)
class Act:
    """Something that is done to one process."""

    at: float
    """Seconds from the start."""
    target: str
    """A service, an edge `caller>callee`, or `BROKER`."""
    order: Mapping[str, object]
    """What the process is told."""
    said: str = ""
    """The same for people; empty where nobody needs to hear of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One failure."""

    name: str
    summary: str
    """What happens, in a sentence."""
    expected: str
    """What it comes to with and without protection, and who found that."""
    services: tuple[ServiceSpec, ...]
    load: LoadSpec
    trouble: tuple[float, float]
    """When it begins and ends."""
    acts: tuple[Act, ...] = ()
    proxied: tuple[tuple[str, str], ...] = ()
    """Edges that lead through a proxy, which can lose what passes."""
    warm_up: float = 3.0
    """Seconds that are not measured."""

    @property
    def seconds(self) -> int:
        """Its length."""
        return int(self.load.seconds)

    @property
    def loses_broker(self) -> bool:
        """Whether it stops the broker, which must then be one of its own."""
        return any(act.target == BROKER for act in self.acts)

    def scaled(self, scale: float) -> Scenario:
        """The same with all durations and the callers' patience multiplied; rates and service times stay.

        Raises:
            ConfigurationError: it would be too short to show anything.
        """
        if scale == 1.0:
            return self
        if scale < _SHORTEST:
            raise ConfigurationError(f"--scale {scale:g} leaves nothing to see of {self.name}: {_SHORTEST:g} or more")
        begin, end = self.trouble
        return replace(
            self,
            summary=f"{self.summary} (times × {scale:g})",
            services=tuple(_scaled_service(service, scale) for service in self.services),
            load=_scaled_load(self.load, scale),
            trouble=(begin * scale, end * scale),
            acts=tuple(replace(act, at=act.at * scale) for act in self.acts),
            warm_up=self.warm_up * scale,
        )


def edge(caller: str, callee: str) -> str:
    """The name of an edge."""
    return f"{caller}>{callee}"


def _scaled_patience(patience: Patience, scale: float) -> Patience:
    return replace(patience, timeout=patience.timeout * scale, backoff=patience.backoff * scale)


def _scaled_service(service: ServiceSpec, scale: float) -> ServiceSpec:
    calls = tuple(replace(call, patience=_scaled_patience(call.patience, scale)) for call in service.calls)
    return replace(service, calls=calls)


def _scaled_load(load: LoadSpec, scale: float) -> LoadSpec:
    surges = tuple(replace(surge, start=surge.start * scale, seconds=surge.seconds * scale) for surge in load.surges)
    seconds = float(ceil(load.seconds * scale))
    return replace(load, seconds=seconds, surges=surges, patience=_scaled_patience(load.patience, scale))
