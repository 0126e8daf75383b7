"""What commands print: data to standard output, everything else to standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from typing import Any

import orjson
import typer
from rich.console import Console

__all__ = ["out", "print_json", "steps"]

_PLAIN_WIDTH = 160
"""Columns of a table that goes to a file or another program."""


def out() -> Console:
    """Standard output as a terminal, or as plain text where it is none."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else _PLAIN_WIDTH)


def print_json(value: Any) -> None:
    """A line of JSON: dataclasses as objects, enums as their values, NaN as null."""
    typer.echo(orjson.dumps(value).decode())


@contextmanager
def steps() -> Generator[Callable[[str], None]]:
    """A function that tells people of each slow step: with a moving sign in a terminal, line by line elsewhere."""
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield partial(typer.echo, err=True)
        return
    with console.status("") as status:

        def step(message: str) -> None:
            console.print(f"[green]▸[/] {message}")
            status.update(f"{message} …")

        yield step
