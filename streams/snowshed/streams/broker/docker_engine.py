"""Reaches a Docker daemon through the optional docker package."""

from __future__ import annotations

import importlib
import os
import socket
from collections.abc import Mapping
from typing import Any, Protocol

from snowshed.schemas.errors import BrokerUnavailable

__all__ = ["Container", "Engine", "connect", "engine_errors"]

_DEFAULT_HOST = "unix:///var/run/docker.sock"
_PING_TIMEOUT = 3
_REQUEST_TIMEOUT = 300


class Container(Protocol):
    """What we use of a container."""

    @property
    def status(self) -> str:
        """The state at the last `reload`, such as running or exited."""
        ...

    def reload(self) -> None:
        """Fetch the state."""

    def logs(self, *, tail: int) -> bytes:
        """The last lines of the output."""
        ...

    def stop(self, *, timeout: int) -> None:
        """Send SIGTERM, and SIGKILL after the time-out (seconds)."""

    def remove(self, *, v: bool, force: bool) -> None:
        """Remove it, and with `v` its anonymous volumes."""


class _Containers(Protocol):
    def run(
        self,
        image: str,
        *,
        detach: bool,
        name: str | None,
        environment: Mapping[str, str],
        ports: Mapping[str, tuple[str, int]],
        volumes: Mapping[str, Mapping[str, str]],
        labels: Mapping[str, str],
    ) -> Container: ...
    def list(self, *, all: bool, filters: Mapping[str, str]) -> list[Container]: ...  # noqa: A002  their name


class _Images(Protocol):
    def list(self, name: str) -> list[object]: ...
    def pull(self, repository: str) -> object: ...


class Engine(Protocol):
    """What we use of a connection to a daemon."""

    @property
    def containers(self) -> _Containers:
        """The daemon's containers."""
        ...

    @property
    def images(self) -> _Images:
        """The daemon's images."""
        ...

    def close(self) -> None:
        """Close the connection."""


def _errors(docker: Any) -> tuple[type[Exception], ...]:
    # The package lets errors of its HTTP library through, and those are OSErrors.
    return (docker.errors.DockerException, OSError)


def _check_socket() -> None:
    """Refuse a dead local socket at once, with a clearer reason than the package gives."""
    scheme, _, path = (os.environ.get("DOCKER_HOST") or _DEFAULT_HOST).partition("://")
    if scheme != "unix":
        return
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except OSError as error:
            raise BrokerUnavailable(f"no Docker daemon answers at {path}: {error.strerror}") from error


def connect() -> Engine:
    """A connection to the daemon of the environment (DOCKER_HOST or the usual socket), once it has answered a ping.

    Raises:
        BrokerUnavailable: the docker package is missing, or no daemon answers within three seconds.
    """
    _check_socket()
    try:
        docker: Any = importlib.import_module("docker")
    except ModuleNotFoundError as error:
        raise BrokerUnavailable("the docker package is not installed: pip install snowshed[containers]") from error
    try:
        probe = docker.from_env(timeout=_PING_TIMEOUT)
        try:
            probe.ping()
        finally:
            probe.close()
        engine: Engine = docker.from_env(timeout=_REQUEST_TIMEOUT)
    except _errors(docker) as error:
        raise BrokerUnavailable(f"no Docker daemon answers: {error}") from error
    return engine


def engine_errors() -> tuple[type[Exception], ...]:
    """The exceptions that calls to an `Engine` raise."""
    return _errors(importlib.import_module("docker"))
