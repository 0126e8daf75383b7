"""Opens the first kind of broker that can be had, and closes it again."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass

from snowshed.schemas.errors import BrokerUnavailable

from .choose import BrokerSettings, Kind, candidates, none_available
from .container import KAFKA_IMAGE, ContainerKafka
from .jars import KAFKA_VERSION
from .local import LocalKafka
from .maven import Progress, silent
from .readiness import wait_ready

__all__ = ["Broker", "Opener", "open_broker", "open_first"]

_EXTERNAL_TIMEOUT = 20.0
_CONTAINER_NAME = "snowshed-kafka"


@dataclass(frozen=True, slots=True)
class Broker:
    """A broker that serves clients.

    Args:
        bootstrap: the address clients connect to.
        kind: how it runs.
        description: what it is, for people.
    """

    bootstrap: str
    kind: Kind
    description: str


Opener = Callable[[BrokerSettings, Progress], AbstractContextManager[Broker]]
"""Opens one kind of broker; raises BrokerUnavailable on entry when it cannot be had."""


@contextmanager
def _external(settings: BrokerSettings, progress: Progress) -> Generator[Broker]:
    bootstrap = settings.bootstrap or ""
    progress(f"Connecting to Kafka at {bootstrap}")
    wait_ready(bootstrap, timeout=_EXTERNAL_TIMEOUT)
    yield Broker(bootstrap, "external", f"the Kafka cluster at {bootstrap}")


@contextmanager
def _docker(settings: BrokerSettings, progress: Progress) -> Generator[Broker]:
    name = None if settings.data is None else _CONTAINER_NAME
    with ContainerKafka(name, port=settings.port, extra=settings.extra, progress=progress) as kafka:
        yield Broker(kafka.bootstrap, "docker", f"{KAFKA_IMAGE} in a container at {kafka.bootstrap}")


@contextmanager
def _local(settings: BrokerSettings, progress: Progress) -> Generator[Broker]:
    with LocalKafka(settings.data, port=settings.port, extra=settings.extra, progress=progress) as kafka:
        description = f"Apache Kafka {KAFKA_VERSION} at {kafka.bootstrap} (process {kafka.pid})"
        yield Broker(kafka.bootstrap, "local", description)


_OPENERS: Mapping[Kind, Opener] = {"external": _external, "docker": _docker, "local": _local}


@contextmanager
def open_first(
    kinds: tuple[Kind, ...], openers: Mapping[Kind, Opener], settings: BrokerSettings, progress: Progress = silent
) -> Generator[Broker]:
    """Open the first of the kinds that can be had; the broker closes with the context.

    Raises:
        BrokerUnavailable: none can be had; the message says why each failed.
    """
    with ExitStack() as closing:
        yield _enter_first(closing, kinds, openers, settings, progress)


def _enter_first(
    closing: ExitStack,
    kinds: tuple[Kind, ...],
    openers: Mapping[Kind, Opener],
    settings: BrokerSettings,
    progress: Progress,
) -> Broker:
    reasons: dict[Kind, BrokerUnavailable] = {}
    for kind in kinds:
        try:
            return closing.enter_context(openers[kind](settings, progress))
        except BrokerUnavailable as reason:
            reasons[kind] = reason
    raise none_available(reasons)


def open_broker(settings: BrokerSettings, progress: Progress = silent) -> AbstractContextManager[Broker]:
    """The broker that the settings ask for: an external one, else one in Docker, else a child process.

    Raises:
        ConfigurationError: an external broker is forced without an address.
        BrokerUnavailable: on entry, when none can be had; the message names what to start or install.
    """
    return open_first(candidates(settings), _OPENERS, settings, progress)
