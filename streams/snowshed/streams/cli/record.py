"""`snowshed record`: the log as a file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from snowshed.schemas.codec import Codec
from snowshed.schemas.topics import Topics
from snowshed.streams.cli.console import print_json
from snowshed.streams.cli.options import DEFAULT_BOOTSTRAP, DEFAULT_PREFIX, Bootstrap, Json, Prefix, connection_to
from snowshed.streams.cli.reaching import reach, require_topics
from snowshed.streams.replay import write_recording
from snowshed.streams.replay.capture import capture, captured_topics

__all__ = ["command"]


def command(
    *,
    out: Annotated[Path, typer.Option(help="File to write; gzipped if its name ends in .gz.")],
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP,
    prefix: Prefix = DEFAULT_PREFIX,
    json: Json = False,
) -> None:
    """Write what stands on the topics to a file that can be replayed.

    It has the agents' inputs and journals as they are at this moment, for as long as the topics keep them, and of the
    checkpoints those that a replay begins at.
    """
    connection, topics = connection_to(bootstrap), Topics(prefix)
    shorts = captured_topics()
    require_topics(connection, topics, *shorts)
    existing = reach(connection).topics
    partitions = {short: len(existing[topics.full(short)].partitions) for short in shorts}
    codec = Codec.from_settings(os.environ.get("SNOWSHED_REGISTRY_URL"))
    count = write_recording(out, partitions, capture(connection, topics, shorts, codec))
    if json:
        print_json({"file": str(out), "records": count})
    else:
        typer.echo(f"{count} records in {out}: fold them with `snowshed replay {out}`")
