"""Kafka and a worker of the lab's own, with topics that nobody else uses."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import aiohttp

from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.errors import ServerUnavailable
from snowshed.schemas.topics import Topics
from snowshed.streams.broker import LocalKafka
from snowshed.streams.lab.processes import Process, environment_of
from snowshed.streams.lab.specs import Place
from snowshed.streams.provision import provision

__all__ = ["ControlPlane", "Kafka", "control_plane"]

_READY_WITHIN = 90.0
_LOOK = 0.1
_PROBE = aiohttp.ClientTimeout(total=2.0)


@dataclass(frozen=True, slots=True)
class Kafka:
    """A broker that runs."""

    bootstrap: str
    own: LocalKafka | None = None
    """The same as a child process of ours, where it can be stopped."""

    def obey(self, order: Mapping[str, object]) -> None:
        """Kill the broker, or start it again without waiting for it (`running`)."""
        if self.own is None:
            raise ServerUnavailable("this broker is not ours to stop: leave --bootstrap out")
        if order["running"]:
            self.own.launch()
        else:
            self.own.kill()


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """A worker and where everything reports to."""

    kafka: Kafka
    prefix: str
    page: str

    @property
    def connection(self) -> KafkaConnection:
        """Where Kafka is."""
        return KafkaConnection(self.kafka.bootstrap)

    @property
    def topics(self) -> Topics:
        """Its topics."""
        return Topics(self.prefix, partitions=1)


@asynccontextmanager
async def control_plane(kafka: Kafka, folder: Path, port: int) -> AsyncGenerator[ControlPlane]:
    """A worker that judges one arrangement; it ends with the context.

    Args:
        kafka: the broker.
        folder: for its log.
        port: of its page.

    Raises:
        ServerUnavailable: the worker ended or is not ready in time.
    """
    plane = ControlPlane(kafka, f"lab-{uuid4().hex[:8]}", f"http://127.0.0.1:{port}/")
    await asyncio.to_thread(provision, plane.connection, plane.topics)
    settings = {"SNOWSHED_APP": plane.prefix, "SNOWSHED_WEB_PORT": str(port), "SNOWSHED_PARTITIONS": "1"}
    environment = environment_of(Place(bootstrap=kafka.bootstrap, prefix=plane.prefix)) | settings
    command = [sys.executable, "-m", "snowshed.streams.cli", "worker", "--attached"]
    worker = Process("worker", command, environment, folder / "worker.log")
    try:
        await worker.start()
        await _await_ready(worker, f"{plane.page}readyz")
        yield plane
    finally:
        await worker.stop()


async def _await_ready(worker: Process, url: str) -> None:
    deadline = asyncio.get_running_loop().time() + _READY_WITHIN
    async with aiohttp.ClientSession(timeout=_PROBE) as session:
        while not await _answers(session, url):
            if worker.ended or asyncio.get_running_loop().time() > deadline:
                raise ServerUnavailable(f"the worker is not ready; the end of {worker.log}:\n{worker.tail()}")
            await asyncio.sleep(_LOOK)


async def _answers(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url) as answer:
            return answer.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False
