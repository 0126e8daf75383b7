"""`snowshed worker`: a Faust worker in this process, or several in processes of their own."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Annotated, Any

import faust
import typer

from snowshed.schemas.errors import ConfigurationError, SnowshedError
from snowshed.streams import logs
from snowshed.streams.cli.attached import Attached, end_with_standard_input
from snowshed.streams.cli.children import attached_command
from snowshed.streams.cli.worker_settings import worker_settings
from snowshed.streams.garbage import collect_seldom
from snowshed.streams.hosting import build
from snowshed.streams.settings import WorkerSettings
from snowshed.streams.supervision.reports import Misconfigured, Reporter

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
    processes: Annotated[
        int | None,
        typer.Option(min=1, help="Workers to run, each in a process, its page on the next port (default: 1)."),
    ] = None,
    log_format: Annotated[str | None, typer.Option(help="auto, json or console (default: auto).")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error (default: info).")] = None,
    attached: Attached = False,
    report: Annotated[int | None, typer.Option(hidden=True, help="File descriptor to tell a supervisor by.")] = None,
) -> None:
    """Run a worker: it judges telemetry and takes decisions.

    Start several with the same name to share the work or to take over from each other. Every option has a variable
    SNOWSHED_…, and so have those settings that have no option. SIGTERM or Ctrl-C stops a worker in order; exit code 70
    means that another worker has taken its place and that it may simply be started again.

    With --processes a supervisor starts workers again that die, and has the others take over within moments; SIGHUP
    restarts them one by one.
    """
    settings = worker_settings(
        bootstrap=bootstrap,
        prefix=prefix,
        app=app,
        partitions=partitions,
        policy=policy,
        web_host=web_host,
        web_port=web_port,
        processes=processes,
        log_format=log_format,
        log_level=log_level,
    )
    logs.configure(settings.log_format, settings.log_level)
    if attached:
        end_with_standard_input()
    if settings.processes > 1:
        from snowshed.streams.supervision.supervise import supervise  # noqa: PLC0415 - no worker needs its imports

        supervise(settings, attached_command(["worker"]), os.environ)
    else:
        _work(settings, Reporter(report) if report is not None else None)


def _work(settings: WorkerSettings, reporter: Reporter | None) -> None:
    collect_seldom()
    loop = _event_loop()
    asyncio.set_event_loop(loop)
    try:
        _run(build(settings, joined=reporter.tell if reporter is not None else None), loop)
    except ConfigurationError as error:
        if reporter is not None:
            reporter.tell(Misconfigured(str(error)))
        raise


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
