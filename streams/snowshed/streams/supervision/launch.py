"""How each of several workers is started: its number, its port and its settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from snowshed.schemas.errors import ConfigurationError
from snowshed.streams.broker.ports import free_ports
from snowshed.streams.logs import WORKER_VARIABLE
from snowshed.streams.settings import WorkerSettings
from snowshed.streams.supervision.child import Child
from snowshed.streams.supervision.readiness import page_url

__all__ = ["Launch", "environment_of", "launches", "ports"]

_HIGHEST_PORT = 65_535


@dataclass(frozen=True, slots=True)
class Launch:
    """How one worker is started."""

    command: Sequence[str]
    environment: Mapping[str, str]
    page: str

    def start(self, worker: int) -> Child:
        """Start a life of it.

        Raises:
            OSError: the system starts no process now.
        """
        return Child(worker, self.command, self.environment)


def launches(settings: WorkerSettings, command: Sequence[str], environ: Mapping[str, str]) -> list[Launch]:
    """The workers of these settings, numbered from 0.

    Args:
        settings: what they have in common.
        command: runs one worker.
        environ: this process's variables.
    """
    base = environment_of(settings, environ)
    return [
        Launch(
            command,
            {**base, "SNOWSHED_WEB_PORT": str(port), WORKER_VARIABLE: str(number)},
            page_url(settings.web_host, port),
        )
        for number, port in enumerate(ports(settings.web_port, settings.processes))
    ]


def ports(first: int, count: int) -> Sequence[int]:
    """A port for each worker's page: consecutive ones, or free ones where the first is 0.

    Raises:
        ConfigurationError: there are not so many ports after the first.
    """
    if first == 0:
        return free_ports(count)
    if first + count - 1 > _HIGHEST_PORT:
        raise ConfigurationError(
            f"{count} workers need the ports {first} to {first + count - 1}, and {_HIGHEST_PORT} is the last: "
            "set SNOWSHED_WEB_PORT to a lower one, 0 for any free ones"
        )
    return range(first, first + count)


def environment_of(settings: WorkerSettings, environ: Mapping[str, str]) -> dict[str, str]:
    """The variables of one worker with these settings.

    A setting at its default must not come from the environment again, where an option had replaced it.
    """
    names = {f"SNOWSHED_{field.upper()}" for field in type(settings).model_fields}
    others = {name: value for name, value in environ.items() if name.upper() not in names}
    return {**others, **settings.environment(), "SNOWSHED_PROCESSES": "1"}
