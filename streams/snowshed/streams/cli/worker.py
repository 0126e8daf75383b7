"""`snowshed worker`: a Faust worker in this process."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import faust
import typer

from snowshed.schemas.errors import SnowshedError
from snowshed.streams import logs
from snowshed.streams.cli.attached import Attached, end_with_standard_input
from snowshed.streams.cli.worker_settings import worker_settings
from snowshed.streams.hosting import build

__all__ = ["command"]


def command(
    *,
    bootstrap: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Kafka brokers (default: 127.0.0.1:9092).")
    ] = None,
    prefix: Annotated[str | None, typer.Option(help="First part of every topic's name (default: snowshed).")] = None,
    app: Annotated[
        str | None, typer.Option(help="Name that workers sharing the work have in common (default: snowshed).")
    ] = None,
    partitions: Annotated[
        int | None, typer.Option(help="Partitions of topics that are missing (default: the catalogue's).")
    ] = None,
    policy: Annotated[Path | None, typer.Option(help="Policy file (TOML) (default: built-in).")] = None,
    web_host: Annotated[str | None, typer.Option(help="Where the page listens (default: 127.0.0.1).")] = None,
    web_port: Annotated[int | None, typer.Option(help="Port of the page, 0 for any (default: 6066).")] = None,
    log_format: Annotated[str | None, typer.Option(help="auto, json or console (default: auto).")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error (default: info).")] = None,
    attached: Attached = False,
) -> None:
    """Run a worker: it judges telemetry and takes decisions.

    Start several with the same name to share the work or to take over from each other. Every option has a variable
    SNOWSHED_…, and so have those settings that have no option. SIGTERM or Ctrl-C stops a worker in order; exit code 70
    means that another worker has taken its place and that it may simply be started again.
    """
    settings = worker_settings(
        bootstrap=bootstrap,
        prefix=prefix,
        app=app,
        partitions=partitions,
        policy=policy,
        web_host=web_host,
        web_port=web_port,
        log_format=log_format,
        log_level=log_level,
    )
    logs.configure(settings.log_format, settings.log_level)
    loop = _event_loop()
    asyncio.set_event_loop(loop)
    hosted = build(settings)
    if attached:
        end_with_standard_input()
    _run(hosted, loop)


def _event_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop  # noqa: PLC0415 - not on every platform
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def _run(app: faust.App, loop: asyncio.AbstractEventLoop) -> None:
    worker: Any = faust.Worker(app, loop=loop, quiet=True, override_logging=False, redirect_stdouts=False)
    worker.spinner = None
    try:
        worker.execute_from_commandline()
    except SystemExit as ended:
        # Faust turns what a service raised at its start into an exit code; the reason is worth more.
        reason = worker.crash_reason or ended.__context__
        if isinstance(reason, SnowshedError):
            raise reason from None
        raise
