"""`snowshed notify`: people are told of incidents and actions."""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping
from pathlib import Path
from threading import Event
from types import MappingProxyType
from typing import Annotated, Any

import typer
from rich.table import Table

from snowshed.consumers.notify import NoticeItem, NoticeMessage, Notifier, Outcome, Phase, read_settings
from snowshed.consumers.notify.routes import Route
from snowshed.consumers.notify.settings import OpenChannel
from snowshed.schemas.errors import ConfigurationError, ServerUnavailable
from snowshed.schemas.topics import Topics
from snowshed.streams import logs
from snowshed.streams.cascade import explain
from snowshed.streams.cli.attached import Attached, end_with_standard_input
from snowshed.streams.cli.console import out, print_json
from snowshed.streams.cli.options import DEFAULT_BOOTSTRAP, DEFAULT_PREFIX, Bootstrap, Json, Prefix, connection_to
from snowshed.streams.cli.reaching import require_topics
from snowshed.streams.cli.readiness import tell_ready

__all__ = ["group"]

_TOPICS = ("notices", "incidents", "decisions", "deliveries", "actions", "dead-letters")

Config = Annotated[Path, typer.Option("--config", envvar="SNOWSHED_NOTIFY", help="Channels and routes (TOML).")]


def run(
    *,
    config: Config = Path("notify.toml"),
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP,
    prefix: Prefix = DEFAULT_PREFIX,
    attached: Attached = False,
) -> None:
    """Tell people of every notice until SIGTERM or Ctrl-C.

    Several may run: they share the notices, and take over from each other.
    """
    settings = read_settings(config)
    logs.configure()
    connection, topics = connection_to(bootstrap), Topics(prefix)
    require_topics(connection, topics, *_TOPICS)
    stop = ended_by_signal()
    if attached:
        end_with_standard_input()
    Notifier(connection, topics, settings, explain=explain, ready=tell_ready).run(stop)


def send_test(
    *,
    channel: Annotated[list[str] | None, typer.Option(help="Only this channel; may be repeated.")] = None,
    config: Config = Path("notify.toml"),
    json: Json = False,
) -> None:
    """Send one test message on every channel and say how that ended; ends with 1 if one was not sent."""
    channels = read_settings(config).channels
    wanted = {name: _known(channels, name) for name in channel or channels}
    now = time.time()
    found = {name: opened.channel.deliver(_message(now), now) for name, opened in wanted.items()}
    if json:
        print_json({name: {"sent": one.outcome is Outcome.SENT, "reason": one.reason} for name, one in found.items()})
    else:
        for name, one in found.items():
            typer.echo(f"{name}: {'sent' if one.outcome is Outcome.SENT else f'not sent: {one.reason}'}")
    if failed := [name for name, one in found.items() if one.outcome is not Outcome.SENT]:
        raise ServerUnavailable(f"{len(failed)} of {len(found)} channels did not take the test: {', '.join(failed)}")


def check(*, config: Config = Path("notify.toml"), json: Json = False) -> None:
    """Read the settings, show channels and routes, and say what nobody would be told of; sends nothing."""
    settings = read_settings(config)
    unused = sorted(settings.channels.keys() - {name for route in settings.routes for name in route.channels})
    catches_all = any(_catches_all(route) for route in settings.routes)
    remarks = [f"no route leads to channel {name}" for name in unused]
    remarks += [] if catches_all else ["what no route takes is told to nobody: end with a route without conditions"]
    if json:
        channels = {name: {"type": one.kind, "guarantee": one.guarantee} for name, one in settings.channels.items()}
        print_json({"channels": channels, "routes": [_told(route) for route in settings.routes], "remarks": remarks})
        return
    out().print(_channels(settings.channels))
    for route in settings.routes:
        typer.echo(f"route  {_told(route)}")
    for remark in remarks:
        typer.echo(f"note   {remark}")


def ended_by_signal() -> Event:
    """An event that SIGTERM and SIGINT set."""
    stop = Event()

    def end(*_: object) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    return stop


def _known(channels: Mapping[str, OpenChannel], name: str) -> OpenChannel:
    if name not in channels:
        raise ConfigurationError(f"there is no channel {name!r}; there are {', '.join(channels)}")
    return channels[name]


def _message(now: float) -> NoticeMessage:
    item = NoticeItem(
        notice_id=f"test-{int(now)}-opened",
        incident_id=f"test-{int(now)}",
        domain="test",
        kind="",
        subject="snowshed notify test",
        concerned=(),
        severity="info",
        phase=Phase.CLOSED,
        title="test: nothing is wrong",
        text="Somebody tries whether notices arrive here.",
        explanation="Sent by `snowshed notify test`.",
        issued_at=now,
        opened_at=now,
        closed_at=now,
    )
    return NoticeMessage(items=(item,))


def _catches_all(route: Route) -> bool:
    return not (route.severities or route.kinds or route.services or route.phases)


def _told(route: Route) -> str:
    conditions = {
        "severity": route.severities,
        "kind": route.kinds,
        "service": route.services,
        "phase": route.phases,
    }
    said = [f"{name} {' or '.join(sorted(values))}" for name, values in conditions.items() if values]
    end = ", and no further" if route.last else ""
    return f"{'; '.join(said) or 'everything'} to {', '.join(route.channels)}{end}"


def _channels(channels: Mapping[str, OpenChannel]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("channel", "type", "at most", "a notice arrives"):
        table.add_column(name)
    for name, opened in channels.items():
        limits = opened.limits
        table.add_row(name, opened.kind, f"{limits.count} in {limits.per:.0f} s", opened.guarantee)
    return table


group: Mapping[str, Any] = MappingProxyType({"run": run, "test": send_test, "check": check})
"""The subcommands."""
