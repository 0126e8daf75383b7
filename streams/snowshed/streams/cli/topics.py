"""`snowshed topics`: the catalogue beside the broker."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table

from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.errors import ConfigurationError
from snowshed.schemas.topics import CATALOGUE, Topics
from snowshed.streams.cli.console import out, print_json
from snowshed.streams.cli.options import DEFAULT_BOOTSTRAP, DEFAULT_PREFIX, Bootstrap, Json, Prefix, connection_to
from snowshed.streams.cli.reaching import reach
from snowshed.streams.permissions import ROLES, acl_lines
from snowshed.streams.provision import TopicReport, provision, report

__all__ = ["command", "creation_lines"]


def command(
    *,
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP,
    prefix: Prefix = DEFAULT_PREFIX,
    partitions: Annotated[
        int | None,
        typer.Option(envvar="SNOWSHED_PARTITIONS", min=1, help="Partitions of each topic instead of the catalogue's."),
    ] = None,
    replication: Annotated[
        int, typer.Option(envvar="SNOWSHED_REPLICATION", help="Copies of each partition; -1 leaves it to the broker.")
    ] = -1,
    create: Annotated[bool, typer.Option("--create", help="Create the topics that the broker lacks.")] = False,
    commands: Annotated[
        bool, typer.Option("--commands", help="Print the kafka-topics.sh lines that create them; asks no broker.")
    ] = False,
    acls: Annotated[
        list[str] | None,
        typer.Option(
            "--acls",
            metavar="USER=ROLE",
            help=f"Print the kafka-acls.sh lines for a user with this role ({', '.join(ROLES)}); asks no broker.",
        ),
    ] = None,
    app: Annotated[str, typer.Option(envvar="SNOWSHED_APP", help="The workers' group, for --acls.")] = "snowshed",
    json: Json = False,
) -> None:
    """List the topics beside what the broker has, and create those it lacks.

    Ends with 1 while topics are missing.
    """
    topics = Topics(prefix, partitions=partitions, replication=replication)
    if acls:
        for line in acl_lines([_user_and_role(pair) for pair in acls], prefix, app, bootstrap):
            typer.echo(line)
        return
    if commands:
        for line in creation_lines(topics, bootstrap):
            typer.echo(line)
        return
    connection = connection_to(bootstrap)
    found = _found(connection, topics, create=create)
    if json:
        print_json(
            [{**asdict(entry), "missing": entry.missing, "config": topics.config(entry.short)} for entry in found]
        )
    else:
        out().print(_table(found))
    if missing := [entry.name for entry in found if entry.missing]:
        raise ConfigurationError(f"{len(missing)} topics are missing at {bootstrap}: create them with --create")


def _user_and_role(pair: str) -> tuple[str, str]:
    user, equals, role = pair.rpartition("=")
    if not equals or not user:
        raise ConfigurationError(f"--acls {pair}: say USER=ROLE, such as judge=worker")
    return user, role


def creation_lines(topics: Topics, bootstrap: str) -> Iterator[str]:
    """For each topic the line that creates it with Kafka's own tool."""
    for spec in CATALOGUE:
        words = ["kafka-topics.sh", "--bootstrap-server", bootstrap, "--create", "--if-not-exists"]
        words += ["--topic", topics.full(spec.name), "--partitions", str(topics.partitions(spec.name))]
        if topics.replication > 0:
            words += ["--replication-factor", str(topics.replication)]
        for name, value in topics.config(spec.name).items():
            words += ["--config", f"{name}=[{value}]" if "," in value else f"{name}={value}"]
        yield shlex.join(words)


def _found(connection: KafkaConnection, topics: Topics, *, create: bool) -> Sequence[TopicReport]:
    reach(connection)
    if create:
        for name in provision(connection, topics):
            typer.echo(f"created {name}", err=True)
    return report(connection, topics)


def _table(found: Sequence[TopicReport]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("topic", "partitions", "kept", "written by", "key"):
        table.add_column(name, justify="right" if name == "partitions" else "left", no_wrap=name == "topic")
    specs = {spec.name: spec for spec in CATALOGUE}
    for entry in found:
        spec = specs[entry.short]
        there = "[red]missing[/]" if entry.missing else str(entry.partitions)
        kept = spec.cleanup if spec.retention is None else f"{spec.cleanup} {spec.retention / 86_400:.0f} d"
        table.add_row(entry.name, there, kept, spec.written_by, spec.key)
    return table
