"""Plays several arrangements of a scenario, one after the other, with a broker only where one needs it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from snowshed.schemas.errors import ConfigurationError
from snowshed.streams.broker import BrokerSettings, LocalKafka, Progress, free_ports, open_broker
from snowshed.streams.lab.arrangements import needs_kafka
from snowshed.streams.lab.control_plane import ControlPlane, Kafka, control_plane
from snowshed.streams.lab.play import play
from snowshed.streams.lab.played import Listener, Played
from snowshed.streams.lab.scenario import Scenario

__all__ = ["Session", "lab_kafka"]


@contextmanager
def lab_kafka(
    scenario: Scenario, protects: Sequence[str], settings: BrokerSettings, progress: Progress
) -> Generator[Kafka | None]:
    """The broker that a scenario is played with; None where no arrangement needs one.

    Call it in the main thread: only then does the broker end with a parent that is killed.

    Raises:
        ConfigurationError: the scenario stops its broker, and a running one was named.
        BrokerUnavailable: none can be had.
    """
    if not any(needs_kafka(protect) for protect in protects):
        yield None
    elif not scenario.loses_broker:
        with open_broker(settings, progress) as broker:
            yield Kafka(broker.bootstrap)
    elif settings.bootstrap is not None:
        raise ConfigurationError(
            f"{scenario.name} kills its broker and needs one of its own: leave out --bootstrap and SNOWSHED_BOOTSTRAP"
        )
    else:
        with LocalKafka(progress=progress) as own:
            yield Kafka(own.bootstrap, own)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What all arrangements of a scenario have in common."""

    scenario: Scenario
    seed: int
    folder: Path
    """For logs."""
    kafka: Kafka | None = None
    page_port: int = 0
    """Port of the worker's page; 0 for any."""

    async def play(
        self,
        protect: str,
        listener: Listener,
        *,
        began: Callable[[ControlPlane | None], None] = lambda _plane: None,
        afterwards: Callable[[], Awaitable[None]] | None = None,
    ) -> Played:
        """Play one arrangement.

        Args:
            protect: its name or path.
            listener: told of every second and every note as it comes.
            began: told of the control plane before the processes start.
            afterwards: awaited while the control plane still runs.

        Raises:
            ServerUnavailable: a process did not start, or ended too early.
        """
        folder = self.folder / protect.replace(":", "-")
        folder.mkdir(parents=True, exist_ok=True)
        async with self._plane(protect, folder) as plane:
            began(plane)
            played = await play(self.scenario, protect, seed=self.seed, folder=folder, listener=listener, plane=plane)
            if afterwards is not None:
                await afterwards()
        return played

    @asynccontextmanager
    async def _plane(self, protect: str, folder: Path) -> AsyncGenerator[ControlPlane | None]:
        async with AsyncExitStack() as closing:
            if self.kafka is None or not needs_kafka(protect):
                yield None
                return
            port = self.page_port or free_ports(1)[0]
            yield await closing.enter_async_context(control_plane(self.kafka, folder, port))
