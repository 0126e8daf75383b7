"""`snowshed record`: the log as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from snowshed.schemas.topics import Topics
from snowshed.streams.cli.console import print_json
from snowshed.streams.cli.options import DEFAULT_BOOTSTRAP, DEFAULT_PREFIX, Bootstrap, Json, Prefix, connection_to
from snowshed.streams.cli.reaching import reach, require_topics
from snowshed.streams.replay import write_recording
from snowshed.streams.replay.capture import capture, captured_topics

__all__ = ["command", "recorded_topics"]


def command(
    *,
    out: Annotated[Path, typer.Option(help="File to write; gzipped if its name ends in .gz.")],
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP,
    prefix: Prefix = DEFAULT_PREFIX,
    json: Json = False,
) -> None:
    """Write what stands on the topics to a file that can be replayed.

    It has the agents' inputs and journals as they are at this moment, for as long as the topics keep them.
    """
    connection, topics = connection_to(bootstrap), Topics(prefix)
    shorts = recorded_topics()
    require_topics(connection, topics, *shorts)
    existing = reach(connection).topics
    partitions = {short: len(existing[topics.full(short)].partitions) for short in shorts}
    count = write_recording(out, partitions, capture(connection, topics, shorts))
    if json:
        print_json({"file": str(out), "records": count})
    else:
        typer.echo(f"{count} records in {out}: fold them with `snowshed replay {out}`")


def recorded_topics() -> tuple[str, ...]:
    """Short names in the order they are read.

    Journals come first: while workers go on, every batch that is in them then has its records in the recording too.
    """
    return tuple(sorted(captured_topics(), key=lambda short: not short.startswith("journal.")))
