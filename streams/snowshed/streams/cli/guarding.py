"""How a command ends: errors of ours as one clear line, interrupts quietly, everything else as a traceback."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass

import typer

__all__ = ["EXIT_ERROR", "EXIT_INTERRUPTED", "Flags", "guarded"]

EXIT_ERROR = 1
EXIT_INTERRUPTED = 130
"""What a shell reports for a program that ended by SIGINT."""


@dataclass(slots=True)
class Flags:
    """Options that stand before the command."""

    debug: bool = False


def guarded(command: Callable[..., None], flags: Flags) -> Callable[..., None]:
    """The command with its endings tidied up; its signature stays what Typer reads."""

    @functools.wraps(command)
    def run(*args: object, **kwargs: object) -> None:
        try:
            command(*args, **kwargs)
        except KeyboardInterrupt:
            raise typer.Exit(EXIT_INTERRUPTED) from None
        except BrokenPipeError:
            # The reader of our output, such as `head`, has seen enough; Python must not try to flush the rest.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(EXIT_ERROR) from None
        except Exception as error:
            if flags.debug or not _is_ours(error):
                raise
            typer.echo(f"snowshed: {error}", err=True)
            raise typer.Exit(EXIT_ERROR) from None

    return run


def _is_ours(error: Exception) -> bool:
    # Imported on failure only: help must not wait for the schemas.
    from snowshed.schemas.errors import SnowshedError  # noqa: PLC0415

    return isinstance(error, SnowshedError)
