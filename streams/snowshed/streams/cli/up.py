"""`snowshed up`: the whole of it on one machine."""

from __future__ import annotations

import signal
import time
import urllib.request
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from snowshed.consumers.actions import read_plan
from snowshed.consumers.notify import read_settings
from snowshed.schemas.errors import ConfigurationError, ServerUnavailable
from snowshed.streams.broker import Broker, BrokerSettings, free_ports, open_broker
from snowshed.streams.broker.ports import is_free
from snowshed.streams.cli.children import Child
from snowshed.streams.cli.console import out, print_json, steps
from snowshed.streams.cli.data import data_folder
from snowshed.streams.cli.options import DEFAULT_BOOTSTRAP, DEFAULT_PREFIX, Json, Prefix
from snowshed.streams.cli.worker_settings import worker_settings
from snowshed.streams.policy_file import read_policy
from snowshed.streams.provision import provision
from snowshed.streams.settings import WorkerSettings

__all__ = ["command"]

_READY_TIMEOUT = 90.0
_PROBE_TIMEOUT = 2.0
_LOOK = 0.1
_STOP_GRACE = 20.0
"""Longer than a worker may take to leave in order (15 s); whoever cannot wait interrupts once more."""
_KAFKA_PORT = 9092
_OWN_PARTITIONS = 2
"""Partitions of each topic on a broker of our own: enough for two workers, and quick to start."""


def command(
    *,
    bootstrap: Annotated[
        str | None,
        typer.Option(
            envvar="SNOWSHED_BOOTSTRAP",
            metavar="HOST:PORT",
            help="Use this Kafka; else one is started, in Docker if its daemon answers, otherwise by Java.",
        ),
    ] = None,
    prefix: Prefix = DEFAULT_PREFIX,
    data: Annotated[
        Path | None,
        typer.Option(help="Folder for records and logs (default: snowshed in $XDG_DATA_HOME or ~/.local/share)."),
    ] = None,
    partitions: Annotated[
        int | None,
        typer.Option(min=1, help=f"Partitions of missing topics (default: {_OWN_PARTITIONS} on a broker of our own)."),
    ] = None,
    policy: Annotated[Path | None, typer.Option(help="Policy file (TOML) (default: built-in).")] = None,
    notify: Annotated[
        Path | None, typer.Option(envvar="SNOWSHED_NOTIFY", help="Tell people too: channels and routes (TOML).")
    ] = None,
    runbooks: Annotated[
        Path | None, typer.Option(envvar="SNOWSHED_RUNBOOKS", help="Carry out these runbooks too (TOML).")
    ] = None,
    web_port: Annotated[int, typer.Option(envvar="SNOWSHED_WEB_PORT", help="Port of the page, 0 for any.")] = 6066,
    agent: Annotated[bool, typer.Option("--agent/--no-agent", help="Report this host too.")] = True,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show what worker and agent log.")] = False,
    exit_when_ready: Annotated[bool, typer.Option("--exit-when-ready", help="Stop as soon as all of it runs.")] = False,
    json: Json = False,
) -> None:
    """Run everything on this machine: a broker, a worker and a host agent.

    With their files a notifier and an executor of runbooks run too. Ctrl-C stops all of it in order and leaves
    the data for the next time.
    """
    asked = _Asked(agent, notify, runbooks)
    asked.check()
    read_policy(policy)
    home = data_folder(data)
    logs = _log_folder(home)
    wanted = replace(BrokerSettings.from_environment(), bootstrap=bootstrap, data=home / "kafka", port=_kafka_port())
    port = _page_port(web_port)
    for number in (signal.SIGINT, signal.SIGTERM):  # SIGINT too: a shell's background job starts with it ignored
        signal.signal(number, _interrupt)
    with steps() as step, open_broker(wanted, step) as broker:
        own = None if broker.kind == "external" else _OWN_PARTITIONS
        settings = worker_settings(
            bootstrap=broker.bootstrap, prefix=prefix, partitions=partitions or own, policy=policy, web_port=port
        )
        mirror = step if verbose else None
        with _running(_children(settings, logs, asked, mirror), settings, step) as place:
            _announce(_Up(broker, place, home, settings), json)
            if not exit_when_ready:
                _supervise(place.children, step)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is to run beside the worker."""

    agent: bool
    notify: Path | None
    runbooks: Path | None

    def check(self) -> None:
        """Read the files as their commands will.

        Raises:
            ConfigurationError: one of them is wrong.
        """
        if self.notify is not None:
            read_settings(self.notify)
        if self.runbooks is not None:
            read_plan(self.runbooks)

    def commands(self) -> Iterator[tuple[str, Sequence[str], bool]]:
        """Of each process its name, its command and whether that says when it is ready."""
        yield "worker", ["worker"], False
        if self.agent:
            yield "agent", ["agent"], False
        if self.notify is not None:
            yield "notifier", ["notify", "run", "--config", str(self.notify)], True
        if self.runbooks is not None:
            yield "executor", ["actions", "run", "--config", str(self.runbooks)], True


@dataclass(frozen=True, slots=True)
class _Place:
    """Where what runs can be found."""

    page: str
    children: Sequence[Child]


@dataclass(frozen=True, slots=True)
class _Up:
    """All that runs."""

    broker: Broker
    place: _Place
    home: Path
    settings: WorkerSettings


def _log_folder(home: Path) -> Path:
    """Where logs go; those of the last time are kept as `.log.1`."""
    folder = home / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.log"):
        old.replace(old.with_suffix(".log.1"))
    return folder


def _kafka_port() -> int | None:
    """Kafka's own port, which every command uses by default, unless somebody has it."""
    return _KAFKA_PORT if is_free(_KAFKA_PORT) else None


def _page_port(wanted: int) -> int:
    if wanted == 0:
        return free_ports(1)[0]
    if not is_free(wanted):
        raise ConfigurationError(
            f"port {wanted} is taken, perhaps by another `snowshed up`: choose another with --web-port, 0 for any"
        )
    return wanted


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _children(
    settings: WorkerSettings, logs: Path, asked: _Asked, mirror: Callable[[str], None] | None
) -> Sequence[Child]:
    environment = {"SNOWSHED_BOOTSTRAP": settings.bootstrap, "SNOWSHED_PREFIX": settings.prefix}
    environment |= settings.environment()
    return [
        Child(words, environment, logs / f"{name}.log", mirror=mirror, name=name, tells=tells)
        for name, words, tells in asked.commands()
    ]


@contextmanager
def _running(children: Sequence[Child], settings: WorkerSettings, step: Callable[[str], None]) -> Generator[_Place]:
    page = f"http://127.0.0.1:{settings.web_port}/"
    step(f"Creating topics {settings.prefix}.*")
    provision(settings.connection, settings.topics)
    try:
        step(f"Starting {_listed(children)}")
        for child in children:
            child.start()
        _await_ready(f"{page}readyz", children)
        yield _Place(page, children)
    except KeyboardInterrupt:
        step("Stopping; the data stays")
    finally:
        for child in reversed(children):
            if not child.stop(_STOP_GRACE):
                step(f"The {child.name} did not stop within {_STOP_GRACE:.0f} s and was killed")


def _await_ready(url: str, children: Sequence[Child]) -> None:
    deadline = time.monotonic() + _READY_TIMEOUT
    while (late := _not_ready(url, children)) is not None:
        for child in children:
            if (ending := child.ended()) is not None:
                raise ServerUnavailable(ending)
        if time.monotonic() > deadline:
            raise ServerUnavailable(
                f"the {late.name} is not ready after {_READY_TIMEOUT:.0f} s; the end of {late.log}:\n{late.tail()}"
            )
        time.sleep(_LOOK)


def _not_ready(url: str, children: Sequence[Child]) -> Child | None:
    """The first that is not ready yet; the worker, which comes first, says so at `url`."""
    if not _answers(url):
        return children[0]
    return next((child for child in children if not child.ready), None)


def _listed(children: Sequence[Child]) -> str:
    *first, last = [child.name for child in children]
    return f"{', '.join(first)} and {last}" if first else last


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=_PROBE_TIMEOUT) as answer:  # noqa: S310 - an address of our own
            return bool(answer.status == 200)
    except OSError:  # URLError and HTTPError included: not yet
        return False


def _supervise(children: Sequence[Child], step: Callable[[str], None]) -> None:
    """Bring back whatever ends, until interrupted."""
    while True:
        for child in children:
            if (ending := child.ended()) is not None:
                step(f"{ending}\nStarting the {child.name} again")
            child.revive()
        time.sleep(_LOOK)


def _announce(up: _Up, json: bool) -> None:
    if json:
        print_json(
            {
                "broker": up.broker.kind,
                "bootstrap": up.broker.bootstrap,
                "page": up.place.page,
                "data": str(up.home),
                "processes": {child.name: child.pid for child in up.place.children},
            }
        )
        return
    flags = _flags(up.settings)
    out().print(
        f"\n[bold green]Snowshed is up.[/]\n"
        f"  broker  {up.broker.description}\n"
        f"  ready   {_listed(up.place.children)}\n"
        f"  page    {up.place.page}\n"
        f"  logs    {up.home / 'logs'}\n\n"
        f"Try     snowshed publish scenario retry-storm{flags}\n"
        f"        snowshed watch{flags}\n"
        f"        snowshed explain{flags}\n"
        f"Stop    Ctrl-C; the data stays in {up.home}\n"
    )


def _flags(settings: WorkerSettings) -> str:
    """What other commands must be told to find this one."""
    given = {"--bootstrap": (settings.bootstrap, DEFAULT_BOOTSTRAP), "--prefix": (settings.prefix, DEFAULT_PREFIX)}
    return "".join(f" {flag} {value}" for flag, (value, default) in given.items() if value != default)
