"""A real Kafka broker in a Docker container: one KRaft node published on a loopback port."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Self

from snowshed.schemas.errors import BrokerUnavailable

from .docker_engine import Container, Engine, connect, engine_errors
from .jars import KAFKA_VERSION
from .maven import Progress, silent
from .node import CLUSTER_ID, as_environment, container_listeners, single_node
from .ports import LOOPBACK, free_ports
from .readiness import wait_ready

__all__ = ["KAFKA_IMAGE", "ContainerKafka", "container_environment"]

KAFKA_IMAGE = f"apache/kafka:{KAFKA_VERSION}"

_RECORDS = "/var/lib/kafka/data"
_STOP_GRACE = 15
_TAIL_LINES = 15


def container_environment(host_port: int, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment that makes Kafka's image one node, published on a loopback port of the host."""
    settings = single_node(_RECORDS, container_listeners(host_port), extra)
    return {**as_environment(settings), "CLUSTER_ID": CLUSTER_ID, "KAFKA_HEAP_OPTS": "-Xms128m -Xmx384m"}


class ContainerKafka:
    """One Kafka node in a container; also a context manager that starts and closes it.

    Args:
        name: of the container and of the volume that keeps the records between starts; without it both are anonymous
            and removed at the end.
        image: an image with the start contract of apache/kafka, for sites with a registry of their own.
        port: loopback port for clients, chosen before the start when absent: a port that Docker chooses would change
            when the container restarts, and the address the broker advertises would be stale.
        extra: broker settings that replace ours.
        progress: told of each slow step.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        image: str = KAFKA_IMAGE,
        port: int | None = None,
        extra: Mapping[str, str] | None = None,
        progress: Progress = silent,
    ) -> None:
        self._name = name
        self._image = image
        self._port = free_ports(1)[0] if port is None else port
        self._extra = dict(extra or {})
        self._progress = progress
        self._engine: Engine | None = None
        self._container: Container | None = None

    @property
    def bootstrap(self) -> str:
        """The address clients connect to."""
        return f"{LOOPBACK}:{self._port}"

    def start(self, timeout: float = 90.0) -> Self:
        """Start the container and wait until the broker serves clients.

        Args:
            timeout: seconds the broker may take once its image is there.

        Raises:
            BrokerUnavailable: no daemon answers, the image cannot be had, a name or port is taken, or the broker ended.
        """
        self._engine = connect()
        try:
            self._ensure_image(self._engine)
            self._clear_name(self._engine)
            self._progress(f"Starting Apache Kafka {KAFKA_VERSION} in a container")
            self._container = self._run(self._engine)
            wait_ready(self.bootstrap, timeout=timeout, check=self._check_alive)
        except engine_errors() as error:
            self.close()
            raise BrokerUnavailable(f"Docker could not run {self._image}: {error}") from error
        except BaseException:
            self.close()
            raise
        return self

    def _ensure_image(self, engine: Engine) -> None:
        if not engine.images.list(self._image):
            self._progress(f"Pulling {self._image} (once)")
            engine.images.pull(self._image)

    def _clear_name(self, engine: Engine) -> None:
        if self._name is None:
            return
        for stale in engine.containers.list(all=True, filters={"name": f"^/{self._name}$"}):
            if stale.status == "running":
                raise BrokerUnavailable(
                    f"a container named {self._name} runs already, left behind or still used by another run; "
                    f"end it (docker rm -f {self._name})"
                )
            stale.remove(v=False, force=True)

    def _run(self, engine: Engine) -> Container:
        volumes = {} if self._name is None else {self._name: {"bind": _RECORDS, "mode": "rw"}}
        return engine.containers.run(
            self._image,
            detach=True,
            name=self._name,
            environment=container_environment(self._port, self._extra),
            ports={"9092/tcp": (LOOPBACK, self._port)},
            volumes=volumes,
            labels={"snowshed": "broker"},
        )

    def _check_alive(self) -> None:
        if self._container is None:
            return
        self._container.reload()
        if self._container.status == "exited":
            tail = self._container.logs(tail=_TAIL_LINES).decode(errors="replace")
            raise BrokerUnavailable(f"the broker ended while starting; the last lines of its log:\n{tail}")

    def close(self) -> None:
        """Stop and remove the container; a named volume stays."""
        if self._container is not None:
            with suppress(*engine_errors()):  # someone else may have removed it
                self._container.stop(timeout=_STOP_GRACE)
                self._container.remove(v=True, force=True)
            self._container = None
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *details: object) -> None:
        self.close()
