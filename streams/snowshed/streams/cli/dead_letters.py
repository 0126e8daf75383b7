"""`snowshed dead-letters`: records that could not be used."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

import typer

from snowshed.schemas.codec import Codec
from snowshed.schemas.errors import ConfigurationError, SnowshedError
from snowshed.schemas.topics import Topics
from snowshed.streams.cli.console import out as standard_output
from snowshed.streams.cli.console import print_json
from snowshed.streams.cli.letter_views import as_json, remarks, table, told
from snowshed.streams.cli.options import DEFAULT_BOOTSTRAP, DEFAULT_PREFIX, Bootstrap, Json, Prefix, connection_to
from snowshed.streams.cli.reaching import require_topics
from snowshed.streams.dead_letters.book import Filter, moment
from snowshed.streams.dead_letters.reading import LetterLog
from snowshed.streams.dead_letters.retrying import Outcome, Retrying, rehearsed

__all__ = ["group"]

Topic = Annotated[
    str | None, typer.Option(help="Only records that came from this topic, by its short or its full name.")
]
ErrorName = Annotated[str | None, typer.Option("--error", help="Only records with an error of this class.")]
Since = Annotated[
    str | None, typer.Option(help="Only records rejected since then: 90s, 30m, 2h, 7d ago, or a date or time (UTC).")
]
Registry = Annotated[
    str | None, typer.Option(envvar="SNOWSHED_REGISTRY_URL", help="Schema registry, where the workers use one.")
]


def list_letters(
    *,
    topic: Topic = None,
    error: ErrorName = None,
    since: Since = None,
    everything: Annotated[bool, typer.Option("--all", help="Show retried letters too.")] = False,
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP,
    prefix: Prefix = DEFAULT_PREFIX,
    registry_url: Registry = None,
    json: Json = False,
) -> None:
    """List the letters, newest last; those whose record was put back are counted only."""
    wanted = _filter(topic, error, since)
    book = _log(bootstrap, prefix, Codec.from_settings(registry_url)).book()
    found = book.matching(wanted)
    entries = [entry for entry in found if everything or entry.retried_at is None]
    hidden = len(found) - len(entries)
    if json:
        print_json({"letters": entries, "hidden": hidden, "foreign": book.foreign})
        return
    if entries:
        standard_output().print(table(entries, retried=everything))
    for line in remarks(len(entries), hidden, book.foreign):
        typer.echo(line, err=True)


def show(
    *,
    letter_id: Annotated[str, typer.Argument(metavar="ID", help="The letter's id, as `list` prints it.")],
    out: Annotated[Path | None, typer.Option(help="File to write the record's value to, as it is.")] = None,
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP,
    prefix: Prefix = DEFAULT_PREFIX,
    registry_url: Registry = None,
    json: Json = False,
) -> None:
    """Show all that one letter holds; if it was cut, with the record from where it came from."""
    codec = Codec.from_settings(registry_url)
    log = _log(bootstrap, prefix, codec)
    entry = log.book().named(letter_id)
    opened = log.opened(entry)
    if out is not None:
        _write(out, opened.original.value or b"")
    if json:
        print_json(as_json(entry, opened, codec))
    else:
        typer.echo("\n".join(told(entry, opened, codec)))


def retry(
    *,
    letter_ids: Annotated[
        list[str] | None, typer.Argument(metavar="ID...", help="Letters, as `list` prints them.")
    ] = None,
    all_matching: Annotated[
        bool, typer.Option("--all-matching", help="Every letter that the filters let pass and that was not retried.")
    ] = False,
    topic: Topic = None,
    error: ErrorName = None,
    since: Since = None,
    again: Annotated[bool, typer.Option("--again", help="Also letters that were retried before.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be put back; write nothing.")] = False,
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP,
    prefix: Prefix = DEFAULT_PREFIX,
    registry_url: Registry = None,
    json: Json = False,
) -> None:
    """Put the records of letters back where they came from, each exactly once.

    Ends with 1 if a letter was refused.
    """
    wanted, identities = _filter(topic, error, since), letter_ids or []
    if bool(identities) == all_matching or (identities and wanted != Filter()):
        raise ConfigurationError("say which letters: either their ids, or --all-matching with or without filters")
    log = _log(bootstrap, prefix, codec := Codec.from_settings(registry_url))
    if dry_run:
        entries = log.book().chosen(identities, wanted, again=again)
        outcomes = rehearsed(log, Topics(prefix), entries, again=again)
    else:
        retrying = Retrying(connection_to(bootstrap), Topics(prefix), codec)
        entries = retrying.begin().chosen(identities, wanted, again=again)
        outcomes = retrying.put_back(entries, again=again, now=time.time())
    _report(outcomes, dry_run=dry_run, json=json)


group: Mapping[str, Callable[..., None]] = MappingProxyType({"list": list_letters, "show": show, "retry": retry})
"""The subcommands."""


def _report(outcomes: Iterator[Outcome], *, dry_run: bool, json: bool) -> None:
    """Tell each outcome as soon as it is final; with JSON all together, also when an error ends them early."""
    seen: list[Outcome] = []
    try:
        for outcome in outcomes:
            seen.append(outcome)
            if not json:
                typer.echo(_line(outcome, dry_run=dry_run))
    finally:
        if json:
            print_json({"letters": seen, "dry_run": dry_run})
    refused = sum(bool(outcome.refused) for outcome in seen)
    if not json:
        typer.echo(f"{len(seen) - refused} records {'would be ' if dry_run else ''}put back", err=True)
    if refused:
        raise SnowshedError(f"{refused} of {len(seen)} letters were refused; the reasons stand above")


def _line(outcome: Outcome, *, dry_run: bool) -> str:
    if outcome.refused:
        return f"{outcome.id}: refused: {outcome.refused}"
    return f"{outcome.id}: {'would be put' if dry_run else 'put'} back on {outcome.put}"


def _log(bootstrap: str, prefix: str, codec: Codec) -> LetterLog:
    connection, topics = connection_to(bootstrap), Topics(prefix)
    require_topics(connection, topics, "dead-letters")
    return LetterLog(connection, topics, codec)


def _filter(topic: str | None, error: str | None, since: str | None) -> Filter:
    return Filter(topic, error, None if since is None else moment(since, time.time()))


def _write(file: Path, value: bytes) -> None:
    try:
        file.write_bytes(value)
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be written: {error.strerror or error}") from error
    typer.echo(f"{len(value)} bytes written to {file}", err=True)
