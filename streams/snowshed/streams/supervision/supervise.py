"""The way from a worker's settings to a supervisor that runs several."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import structlog

from snowshed.schemas.access import Untranslatable, translate
from snowshed.schemas.connection import KafkaConnection
from snowshed.streams.settings import WorkerSettings
from snowshed.streams.supervision.launch import Launch, launches
from snowshed.streams.supervision.link import GroupLink
from snowshed.streams.supervision.supervisor import Supervisor

__all__ = ["supervise"]

log = structlog.get_logger()


def supervise(settings: WorkerSettings, command: Sequence[str], environ: Mapping[str, str]) -> None:
    """Run `settings.processes` workers until SIGTERM or SIGINT.

    Args:
        settings: what they have in common.
        command: runs one worker that ends when its standard input closes.
        environ: this process's variables.

    Raises:
        ConfigurationError: no worker can work with the settings.
    """
    asyncio.run(_run(launches(settings, command, environ), settings.connection, settings.app))


async def _run(workers: Sequence[Launch], connection: KafkaConnection, group: str) -> None:
    await Supervisor(workers, _link(connection, group)).run()


def _link(connection: KafkaConnection, group: str) -> GroupLink | None:
    try:
        return GroupLink(translate(connection), group)
    except Untranslatable as error:
        log.warning("members_not_removed", reason=str(error), consequence="a crash then costs a session")
        return None
