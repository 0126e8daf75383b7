"""A Docker engine with a swarm of one node, apart from any other and from the machine's network."""

from __future__ import annotations

import importlib
import io
import os
import shutil
import tarfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

from tests.support.engine import private_engine

from snowshed.schemas.errors import ServerUnavailable
from snowshed.streams.broker.docker_engine import connect

__all__ = ["IDLE", "SwarmEngine", "swarm_engine"]

IDLE = ("sleep", "3600")
"""Does nothing; as the first process of a container it does not end at SIGTERM."""

_IMAGE = "snowshed/busybox:test"
_PROGRAMS = ("busybox", "unshare")
# The ports that the nodes of a swarm gossip on are fixed: in a network of its own no other engine has them.
_WITHIN = ("unshare", "--net", "--mount", "sh", "-c", 'busybox ifconfig lo up && exec "$@"', "sh")
_TRIES = 5
_OPTIONS = ("--bridge=none", "--iptables=false")


def _refusal() -> type[Exception]:
    """What the client raises where the engine refuses a request; the client has no types."""
    return cast("type[Exception]", importlib.import_module("docker.errors").APIError)


@dataclass(frozen=True, slots=True)
class SwarmEngine:
    """What tests make and look at, through the engine's own client.

    Args:
        url: where it listens.
        client: the connection.
    """

    url: str
    client: Any

    def run(self, name: str, command: Sequence[str] = IDLE, *, signal: str = "KILL", patience: int = 10) -> str:
        """Run a container that `signal` is to stop, and SIGKILL after the patience (seconds); its id."""
        made = self.client.api.create_container(
            _IMAGE, list(command), name=name, stop_signal=signal, stop_timeout=patience, network_disabled=True
        )
        self.client.api.start(made["Id"])
        return cast("str", made["Id"])

    def process(self, container: str) -> tuple[int, str]:
        """Its first process and when that began."""
        state = self.client.api.inspect_container(container)["State"]
        return state["Pid"], state["StartedAt"]

    def serve(self, name: str, mode: Mapping[str, Any], **more: Any) -> None:
        """Declare a service."""
        container = {"Image": _IMAGE, "Command": list(IDLE), "StopSignal": "KILL"}
        # The host's network, which is the namespace's: no balancing by the kernel is needed.
        task = {"ContainerSpec": container, "Networks": [{"Target": "host"}]}
        self.client.api.create_service(task, name=name, mode=dict(mode), **more)

    def service(self, name: str) -> dict[str, Any]:
        """What is declared of a service."""
        return cast("dict[str, Any]", self.client.api.inspect_service(name))

    def label(self, service: str, **labels: str) -> None:
        """Change a service's labels and nothing else."""
        for _ in range(_TRIES - 1):
            try:
                return self._label(service, labels)
            except _refusal() as error:
                # The swarm itself writes a service that was just made: then ours is refused as out of sequence.
                if "out of sequence" not in str(error):
                    raise
        return self._label(service, labels)

    def _label(self, service: str, labels: dict[str, str]) -> None:
        held = self.service(service)
        spec = held["Spec"]
        self.client.api.update_service(
            held["ID"],
            held["Version"]["Index"],
            name=spec["Name"],
            task_template=spec["TaskTemplate"],
            mode=spec["Mode"],
            labels=spec["Labels"] | labels,
        )

    def running(self, service: str) -> int:
        """Tasks of a service that run."""
        tasks = self.client.api.tasks({"service": service, "desired-state": "running"})
        return sum(task["Status"]["State"] == "running" for task in tasks)

    @property
    def node(self) -> dict[str, Any]:
        """The only node."""
        [node] = self.client.api.nodes()
        return cast("dict[str, Any]", node)

    def activate(self) -> None:
        """Let the only node have tasks."""
        node = self.node
        self.client.api.update_node(node["ID"], node["Version"]["Index"], node["Spec"] | {"Availability": "active"})


def _image() -> bytes:
    """The files of an image: busybox and links to it, with which it plays other programs."""
    busybox = shutil.which("busybox")
    assert busybox is not None
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.add(os.path.realpath(busybox), "bin/busybox")
        for applet in ("sh", "sleep"):
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(link)
    return buffer.getvalue()


@contextmanager
def swarm_engine() -> Generator[SwarmEngine]:
    """An engine that manages a swarm and has an image to run; all of it ends with the context.

    Raises:
        ServerUnavailable: it cannot be started; the message names the remedy.
    """
    missing = [program for program in _PROGRAMS if shutil.which(program) is None]
    if missing:
        raise ServerUnavailable(
            f"{', '.join(missing)} is not installed; as root: apt-get install busybox-static util-linux"
        )
    with private_engine(_WITHIN, _OPTIONS) as url:
        client: Any = connect()
        try:
            repository, _, tag = _IMAGE.partition(":")
            client.api.import_image_from_data(_image(), repository=repository, tag=tag)
            client.swarm.init(advertise_addr="127.0.0.1", listen_addr="127.0.0.1:2377")
            yield SwarmEngine(url, client)
            client.swarm.leave(force=True)
        finally:
            client.close()
