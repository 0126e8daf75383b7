"""`snowshed replay`: what a recorded log would be judged to be, without a broker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from snowshed.schemas.codec import Codec
from snowshed.schemas.errors import SnowshedError
from snowshed.schemas.records import Decision, Incident
from snowshed.schemas.topics import Topics
from snowshed.streams.agents.folds import folds
from snowshed.streams.cascade import explain
from snowshed.streams.cli.console import print_json
from snowshed.streams.cli.options import DEFAULT_PREFIX, Json, Prefix
from snowshed.streams.policy_file import read_policy
from snowshed.streams.replay import ReplayResult, read_recording, replay

__all__ = ["command"]


def command(
    *,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Recordings, gzipped or not.")],
    policy: Annotated[
        Path | None, typer.Option(help="Policy file (TOML) to judge by (default: built-in).", envvar="SNOWSHED_POLICY")
    ] = None,
    prefix: Prefix = DEFAULT_PREFIX,
    json: Json = False,
) -> None:
    """Fold a recorded log again, without a broker.

    Under the policy of the live run its decisions must come out byte for byte; where they do not, this ends with 1.
    Under another policy it shows what would have been decided.
    """
    judged, codec = read_policy(policy), Codec()
    differences = 0
    for file in files:
        result = replay(read_recording(file), folds(judged, codec), Topics(prefix), codec)
        differences += len(result.differences) if policy is None else 0
        if json:
            print_json({"file": str(file), "result": result})
        else:
            typer.echo("\n".join(_told(file, result)))
    if differences:
        raise SnowshedError(
            f"{differences} batches differ from the live run: it had another policy (give it with --policy) "
            "or another version of Snowshed"
        )


def _told(file: Path, result: ReplayResult) -> Iterator[str]:
    yield f"{file}: {result.records} records in {result.batches} batches, {_proof(result)}"
    for difference in result.differences:
        yield f"  {difference.agent}-{difference.partition} version {difference.version}: {difference.reason}"
    for letter in result.dead_letters:
        yield f"  unreadable: {letter.topic}[{letter.partition}]@{letter.offset}: {letter.reason}"
    for incident in result.incidents:
        yield f"\n{explain(incident, _decided(incident, result))}"
    if not result.incidents:
        yield "no incident"


def _decided(incident: Incident, result: ReplayResult) -> list[Decision]:
    return [decision for decision in result.decisions if decision.incident_id == incident.incident_id]


def _proof(result: ReplayResult) -> str:
    if result.differences:
        return f"{len(result.differences)} of them differ from the live run"
    if result.verified:
        return f"{result.verified} of them proved equal to the live run"
    return "no journal to compare with"
