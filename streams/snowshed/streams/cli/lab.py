"""`snowshed lab`: real processes on this machine that play failures, protected and unprotected side by side."""

from __future__ import annotations

import asyncio
import signal
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

import typer

from snowshed.streams.broker import BrokerSettings
from snowshed.streams.broker.ports import is_free
from snowshed.streams.cli.console import out, print_json, steps
from snowshed.streams.cli.lab_view import comparison, line, table_of_scenarios
from snowshed.streams.cli.options import Json
from snowshed.streams.lab import SCENARIOS, ControlPlane, Note, Played, Tick, scenario
from snowshed.streams.lab.arrangements import factory_of
from snowshed.streams.lab.session import Session, lab_kafka
from snowshed.streams.plotting.goodput import plot_goodput
from snowshed.streams.plotting.picture import require_plotting

__all__ = ["group"]

_ALL = ("off", "local", "central", "both")
_PAGE = 6066


def run(
    *,
    name: Annotated[str, typer.Argument(help=f"One of: {', '.join(SCENARIOS)}.", show_default=False)],
    protect: Annotated[
        str,
        typer.Option(
            help="off, local, central, both, several of them with commas, all, or package.module:function of your own."
        ),
    ] = "off,both",
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same arrivals and the same work.")] = 1,
    scale: Annotated[float, typer.Option(help="Multiplies all durations, the callers' patience too.")] = 1.0,
    plot: Annotated[Path | None, typer.Option(help="Draw the arrangements into this .png or .svg file.")] = None,
    page: Annotated[
        bool, typer.Option("--page", help="Show it on the live page too, which stays until Ctrl-C.")
    ] = False,
    bootstrap: Annotated[
        str | None,
        typer.Option(
            envvar="SNOWSHED_BOOTSTRAP",
            metavar="HOST:PORT",
            help="Use this Kafka, under topics of its own; else one is started where an arrangement needs it.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Play a failure with real processes on this machine, protected and unprotected.

    Each arrangement takes about a minute: a line a second shows how many requests were answered in time, then a table
    sets the arrangements side by side. Ctrl-C ends all processes.
    """
    if plot is not None:
        require_plotting(plot)
    played = scenario(name).scaled(scale)
    protects = _protects(protect, page=page)
    settings = replace(BrokerSettings.from_environment(), bootstrap=bootstrap)
    for number in (signal.SIGINT, signal.SIGTERM):  # SIGINT too: a shell's background job starts with it ignored
        signal.signal(number, _interrupt)
    with (
        tempfile.TemporaryDirectory(prefix="snowshed-lab-") as folder,
        steps() as step,
        lab_kafka(played, protects, settings, step) as kafka,
    ):
        session = Session(scenario=played, seed=seed, folder=Path(folder), kafka=kafka, page_port=_page_port(page=page))
        runs = asyncio.run(_play(session, protects, _Screen(played.load.rate, json=json, page=page)))
    if plot is not None:
        plot_goodput(plot, runs)
    if json:
        print_json({"scenario": played.name, "seed": seed, "scale": scale, "runs": [_as_data(one) for one in runs]})
    else:
        out().print(comparison(runs))


def show(*, json: Json = False) -> None:
    """List the scenarios that can be played."""
    if json:
        print_json([{"name": one.name, "summary": one.summary, "expected": one.expected} for one in SCENARIOS.values()])
    else:
        out().print(table_of_scenarios(list(SCENARIOS.values())))


group = MappingProxyType({"list": show, "run": run})


def _protects(text: str, *, page: bool) -> list[str]:
    """The arrangements asked for; with a page even the unprotected one reports, or there would be nothing to see."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    names = [name for word in words for name in (_ALL if word == "all" else (word,))]
    for name in names:
        factory_of(name)  # or the processes would be the first to complain
    return ["seen" if page and name == "off" else name for name in names]


def _page_port(*, page: bool) -> int:
    return _PAGE if page and is_free(_PAGE) else 0


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


class _Screen:
    """Where the run is told: to people line by line, to programs not at all."""

    def __init__(self, rate: float, *, json: bool, page: bool) -> None:
        self.page = page
        self._rate = rate
        self._console = None if json else out()

    def tell(self, told: Tick | Note) -> None:
        if self._console is not None:
            self._console.print(line(told, self._rate), soft_wrap=True)

    def began(self, protect: str, plane: ControlPlane | None) -> None:
        where = "" if plane is None else f"; the page is {plane.page}"
        if self._console is not None:
            self._console.print(f"\n[bold]{protect}[/]{where}")


async def _look() -> None:
    """Wait until somebody has seen enough of the page."""
    typer.echo("The page stays until Ctrl-C", err=True)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    await stopped.wait()


async def _play(session: Session, protects: Sequence[str], screen: _Screen) -> list[Played]:
    """All arrangements; SIGINT and SIGTERM end the one that runs and all that follow."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, lambda: task and task.cancel())
    try:
        return [
            await session.play(
                protect,
                screen.tell,
                began=partial(screen.began, protect),
                afterwards=_look if screen.page and protect == protects[-1] else None,
            )
            for protect in protects
        ]
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


def _as_data(played: Played) -> dict[str, object]:
    """One arrangement as JSON."""
    return {
        "protect": played.protect,
        "verdict": asdict(played.verdict()),
        "classes": {str(one): asdict(played.verdict(one)) for one in played.classes},
        "seconds": [asdict(one) for one in played.ticks],
        "notes": [asdict(one) for one in played.notes],
        "received": played.received,
        "late": played.late,
    }
