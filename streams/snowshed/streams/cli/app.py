"""Puts the commands together, importing the one that was asked for and no other."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.metadata import version as version_of
from types import MappingProxyType
from typing import Annotated

import typer

from snowshed.streams.cli.guarding import Flags, guarded

__all__ = ["COMMANDS", "build_app", "main"]

COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "up": "Run everything on this machine: a broker, a worker and a host agent.",
        "worker": "Run a worker: it judges telemetry and takes decisions.",
        "agent": "Report this host and its databases.",
        "publish": "Send test events: a heartbeat, timings, a marker, a whole scenario or a recording.",
        "watch": "Show the fleet as a live table: nodes, edges, replicas, incidents and decisions.",
        "explain": "Tell an incident in plain words: what happened, what proves it, what was decided.",
        "notify": "Tell people of incidents and actions: Alertmanager, webhooks, chat and e-mail.",
        "actions": "Look at the actions that runbooks propose, approve them, and run them.",
        "decide": "Decide yourself: pin, veto or freeze what level 2 decides about a scope, and release it.",
        "statements": "Show the statements that cost databases most, and those that have changed.",
        "replay": "Fold a log again, from a recording or from Kafka.",
        "policy": "Check a policy file, compare two, try one on what has happened, show what holds.",
        "lab": "Play failures with real processes on this machine, protected and unprotected.",
        "simulate": "Simulate a fleet of queues and its trouble, without Kafka, and say what it came to.",
        "score": "Score the detectors against a labelled corpus, beside simple baselines.",
        "dead-letters": "Look at records that could not be used, and put them back once the reason is mended.",
        "record": "Write what stands on the topics to a file that can be replayed.",
        "topics": "List the topics beside what the broker has, and create those it lacks.",
        "reset": "Empty the agents' states and let folding begin anew; every worker must be stopped.",
        "doctor": "Check this machine and its broker, and say what to mend.",
    }
)
"""Every command and its summary; the module of the same name, hyphens being underscores, has it as `command`, or its
subcommands as `group`."""


def main() -> None:
    """Run the command line; the entry point of `snowshed`."""
    words = sys.argv[1:]
    app = build_app(words)
    if _named(words) in COMMANDS:
        # Standard output is for data, and structlog would write there. A worker and an agent then say more than this.
        import_module("snowshed.streams.logs").configure(level="warning")
    app()


def build_app(words: Sequence[str]) -> typer.Typer:
    """The command line for these words: complete for the command they name, summaries for the others.

    So `snowshed --help` imports nothing, and `snowshed topics` no Faust.
    """
    flags = Flags()
    app = typer.Typer(
        name="snowshed",
        help="Watches a fleet of services through Kafka and breaks cascading failures before they spread.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback()
    def common(  # pyright: ignore[reportUnusedFunction] - Typer calls it
        *,
        version: Annotated[
            bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
        ] = False,
        debug: Annotated[
            bool, typer.Option("--debug", envvar="SNOWSHED_DEBUG", help="Show the traceback of an error.")
        ] = False,
    ) -> None:
        _ = version
        flags.debug = debug

    for name, summary in COMMANDS.items():
        if name == _named(words):
            _add(app, name, summary, flags)
        else:
            app.command(name, help=summary)(_not_asked_for)
    return app


def _named(words: Sequence[str]) -> str | None:
    return next((word for word in words if not word.startswith("-")), None)


def _add(app: typer.Typer, name: str, summary: str, flags: Flags) -> None:
    module = import_module(f"snowshed.streams.cli.{name.replace('-', '_')}")
    if not hasattr(module, "group"):
        app.command(name, help=module.command.__doc__)(guarded(module.command, flags))
        return
    group = typer.Typer(help=summary, no_args_is_help=True)
    for subcommand, function in module.group.items():
        group.command(subcommand, help=function.__doc__)(guarded(function, flags))
    app.add_typer(group, name=name)


def _not_asked_for() -> None:
    """Stands for a command that the words do not name, so that help can list it."""


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"snowshed {version_of('snowshed')}")
        raise typer.Exit
