"""`snowshed watch`: the fleet as a live table."""

from __future__ import annotations

import sys
import time
from typing import Annotated

import typer
from rich.live import Live

from snowshed.streams.cli.console import out, print_json
from snowshed.streams.cli.options import DEFAULT_BOOTSTRAP, DEFAULT_PREFIX, Bootstrap, Json, Prefix
from snowshed.streams.cli.tables import fleet
from snowshed.streams.cli.world import followed
from snowshed.streams.web import FollowedWorld

__all__ = ["command"]


def command(
    *,
    once: Annotated[bool, typer.Option("--once", help="Show the state of this moment and end.")] = False,
    period: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks.")] = 1.0,
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP,
    prefix: Prefix = DEFAULT_PREFIX,
    json: Json = False,
) -> None:
    """Show the fleet as a live table: nodes, edges, replicas, incidents and decisions.

    With --json, or where the output is no terminal, the state is printed anew whenever it has changed.
    """
    with followed(bootstrap, prefix) as world:
        if once:
            _show(world, json)
        elif json or not sys.stdout.isatty():
            _follow(world, period, json)
        else:
            _live(world, period)


def _show(world: FollowedWorld, json: bool) -> None:
    table = _state(world)
    if json:
        print_json(table)
    else:
        out().print(fleet(table))


def _follow(world: FollowedWorld, period: float, json: bool) -> None:
    shown = -1
    while True:
        if world.revision != shown:
            shown = world.revision
            _show(world, json)
            sys.stdout.flush()
        time.sleep(period)


def _live(world: FollowedWorld, period: float) -> None:
    with Live(fleet(_state(world)), console=out(), screen=True, auto_refresh=False) as live:
        while True:
            time.sleep(period)
            live.update(fleet(_state(world)), refresh=True)


def _state(world: FollowedWorld) -> dict[str, object]:
    return {**world.view().snapshot(time.time()), "connected": world.connected}
