"""What the lab's processes are told: services, their calls and caches, the load; frozen values that travel as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import orjson
from pydantic import TypeAdapter

from snowshed.schemas.propagation import Criticality
from snowshed.streams.lab.heap import HeapSpec

__all__ = [
    "CacheSpec",
    "ClassSpec",
    "Downstream",
    "LoadSpec",
    "Patience",
    "Place",
    "ProxySpec",
    "ServiceSpec",
    "StoreSpec",
    "Surge",
    "dump",
    "parse",
]

S = TypeVar("S")


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How a caller waits and tries again."""

    timeout: float
    """Seconds an attempt is waited for."""
    attempts: int = 1
    """Including the first."""
    backoff: float = 0.0
    """Seconds before the first retry, doubled for each further one, halved at random; 0 retries at once."""

    def pause(self, number: int, draw: float) -> float:
        """Seconds to wait before retry `number`, 1 for the first; `draw` is a random number in [0, 1)."""
        return self.backoff * 2.0 ** (number - 1) * (0.5 + 0.5 * draw)


@dataclass(frozen=True, slots=True, kw_only=True)
class Downstream:
    """Calls that a service makes for each request, one after another."""

    callee: str
    patience: Patience
    times: int = 1
    operation: str = "ask"
    dataset: str = ""
    replica: str = ""
    """Where the dataset is read instead of at the callee, as long as nobody knows better; empty for nowhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheSpec:
    """A look-aside cache in front of a service's calls; it holds whatever was asked for, for ever, until flushed."""

    keys: int
    """Distinct keys, all of which are cached when the run begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSpec:
    """A copy of a dataset."""

    dataset: str
    followers: tuple[str, ...] = ()
    """Services that everything written here is shipped to; none for a follower."""
    apply_rate: float = 0.0
    """Entries a second that a follower applies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSpec:
    """One service: `slots` requests are worked on at once, each for an exponential time; more wait in one queue."""

    name: str
    slots: int = 15
    service_time: float = 0.02
    """Mean seconds of own work a request takes at full capacity."""
    calls: tuple[Downstream, ...] = ()
    """A slot is held while they are waited for, as a thread would be."""
    cache: CacheSpec | None = None
    store: StoreSpec | None = None
    heap: HeapSpec | None = None
    cancels: bool = False
    """Whether work that nobody waits for any longer is left out; otherwise it is done to the end."""

    @property
    def capacity(self) -> float:
        """Requests a second it can work on."""
        return self.slots / self.service_time


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassSpec:
    """A share of the load that is of one class and asks one service."""

    criticality: Criticality
    share: float
    callee: str = ""
    """The service that it asks; empty for the load's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surge:
    """More load for a while."""

    start: float
    seconds: float
    factor: float
    criticality: Criticality | None = None
    """The only class that grows; None for all."""
    callee: str = ""
    """The only service that is asked more; empty for all."""

    def befalls(self, one: ClassSpec, at: float) -> bool:
        """Whether a class grows by it at a moment."""
        return (
            self.start <= at < self.start + self.seconds
            and self.criticality in (None, one.criticality)
            and self.callee in ("", one.callee)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadSpec:
    """Requests from outside: they arrive at random, however long the ones before take."""

    callee: str
    rate: float
    """First attempts a second."""
    seconds: float
    patience: Patience
    caller: str = "client"
    operation: str = "ask"
    classes: tuple[ClassSpec, ...] = (ClassSpec(criticality=Criticality.CRITICAL, share=1.0),)
    surges: tuple[Surge, ...] = ()
    keys: int = 0
    """Distinct keys asked for; 0 where none is needed."""
    stale_after: float | None = None
    """Seconds of age from which on an answer is as good as none."""
    skew: float = 1.00001
    """Exponent of the Zipf distribution of keys."""

    def rate_of(self, one: ClassSpec, at: float) -> float:
        """Requests a second of a class at a moment."""
        rate = self.rate * one.share
        for surge in self.surges:
            if surge.befalls(one, at):
                rate *= surge.factor
        return rate

    @property
    def callees(self) -> frozenset[str]:
        """The services that it asks."""
        return frozenset(one.callee or self.callee for one in self.classes)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxySpec:
    """Something between a caller and a service that can lose messages."""

    name: str
    port: int
    """Where the caller connects."""
    to: int
    """The service's port."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a process finds what it needs, and how it is protected."""

    protect: str = "off"
    """off, local, central, both, or the import path of an arrangement's factory, `package.module:function`."""
    ports: Mapping[str, int] = field(default_factory=dict[str, int])
    """Loopback port by service."""
    bootstrap: str = ""
    """Kafka, where the arrangement needs it."""
    prefix: str = "snowshed"
    seed: int = 1


def dump(spec: object) -> str:
    """A spec as one line of JSON."""
    return orjson.dumps(spec).decode()


def parse(kind: type[S], text: str) -> S:
    """The spec that a line says."""
    return TypeAdapter(kind).validate_json(text)
