"""`snowshed replay`: what a log would be judged to be, from a recording or from Kafka."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from snowshed.schemas.codec import Codec
from snowshed.schemas.errors import ConfigurationError, SnowshedError
from snowshed.schemas.records import Decision, Incident
from snowshed.schemas.topics import Topics
from snowshed.streams.agents.folds import folds
from snowshed.streams.cascade import explain
from snowshed.streams.causes import Alarm, Meta
from snowshed.streams.cli.comparing import compare_policies
from snowshed.streams.cli.console import print_json
from snowshed.streams.cli.interval_streams import (
    alarm_line,
    bad_lines,
    cause_line,
    holds_intervals,
    read_through,
    report_lines,
)
from snowshed.streams.cli.options import DEFAULT_BOOTSTRAP, DEFAULT_PREFIX, Bootstrap, Json, Prefix, connection_to
from snowshed.streams.cli.proving import proof_lines, unproved_line
from snowshed.streams.cli.reaching import reach
from snowshed.streams.policy import Policy
from snowshed.streams.policy_file import read_policy
from snowshed.streams.replay import ReplayResult, prove, read_recording, replay

__all__ = ["command"]


def command(
    *,
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FILE...]",
            help="Recordings, or streams of measurements by interval, gzipped or not; - is a stream on standard input.",
            show_default=False,
        ),
    ] = None,
    alarms: Annotated[
        bool, typer.Option("--alarms", help="Of streams by interval: print our own alarms as JSON lines.")
    ] = False,
    causes: Annotated[
        bool, typer.Option("--causes", help="Of streams by interval: print the ranked causes as JSON lines.")
    ] = False,
    from_kafka: Annotated[
        bool, typer.Option("--from-kafka", help="Prove what stands on the topics instead of in recordings.")
    ] = False,
    agent: Annotated[
        list[str] | None,
        typer.Option(metavar="AGENT", help="With --from-kafka: only this agent; may be repeated (default: all)."),
    ] = None,
    policy: Annotated[
        Path | None, typer.Option(help="Policy file (TOML) to judge by (default: built-in).", envvar="SNOWSHED_POLICY")
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(metavar="POLICY", help="Of recordings: show what differs under this policy file instead."),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="With --against: draw both policies into this .png or .svg file.")
    ] = None,
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP,
    prefix: Prefix = DEFAULT_PREFIX,
    json: Json = False,
) -> None:
    """Fold a log again, from a recording or from Kafka.

    Under the policy of the live run its decisions must come out byte for byte; where they do not, this ends with 1.
    Under another policy a recording shows what would have been decided, and with --against what differs. Streams of
    measurements by interval, from any monitoring system, are searched for alarms and their causes.
    """
    if bool(files) == from_kafka:
        given = "both" if from_kafka else "neither"
        raise ConfigurationError(f"give recordings or --from-kafka, not {given}: snowshed replay FILE…")
    if (against is not None and from_kafka) or (plot is not None and against is None):
        raise ConfigurationError("--against compares policies on recordings, and --plot draws what --against compares")
    if agent and not from_kafka:
        raise ConfigurationError("--agent goes with --from-kafka: a recording is folded as a whole")
    streams = [file for file in files or [] if alarms or causes or holds_intervals(file)]
    if streams:
        _tell(streams, alarms=alarms, causes=causes)
        files = [file for file in files or [] if file not in streams]
        if not files:
            return
    judged = read_policy(policy)
    if against is not None:
        policies = ((str(policy or "built-in"), judged), (str(against), read_policy(against)))
        compare_policies(files or [], policies, prefix, plot, json=json)
    elif from_kafka:
        _prove(judged, agent or [], bootstrap, prefix, json=json)
    else:
        _replay(files or [], judged, prefix, proving=policy is None, json=json)


def _tell(streams: list[Path], *, alarms: bool, causes: bool) -> None:
    for path in streams:
        told = read_through(path, _print_alarm) if alarms else read_through(path)
        if causes:
            typer.echo(cause_line(told))
        if not alarms and not causes:
            typer.echo("\n".join(report_lines(path, told)))
        for line in bad_lines(told):
            typer.echo(line, err=True)


def _print_alarm(meta: Meta, alarm: Alarm) -> None:
    typer.echo(alarm_line(meta, alarm))


def _prove(policy: Policy, agents: list[str], bootstrap: str, prefix: str, *, json: bool) -> None:
    codec = Codec.from_settings(os.environ.get("SNOWSHED_REGISTRY_URL"))
    known = folds(policy, codec)
    if unknown := sorted(set(agents) - set(known)):
        raise ConfigurationError(f"there is no agent {', '.join(unknown)}; there are {', '.join(known)}")
    connection = connection_to(bootstrap)
    reach(connection)
    wanted = {name: fold for name, fold in known.items() if not agents or name in agents}
    proof = prove(connection, Topics(prefix), wanted, codec)
    if json:
        print_json(proof)
    else:
        typer.echo("\n".join(proof_lines(proof)))
    if proof.differing:
        raise SnowshedError(
            f"{proof.differing} differences from what the input gives: the workers had another policy (give it with "
            "--policy) or another version of Snowshed, or something else wrote to the topics"
        )
    if proof.unproved:
        raise SnowshedError(f"{len(proof.unproved)} partitions cannot be proved yet")


def _replay(files: list[Path], policy: Policy, prefix: str, *, proving: bool, json: bool) -> None:
    codec, differences, unproved = Codec(), 0, 0
    for file in files:
        result = replay(read_recording(file), folds(policy, codec), Topics(prefix), codec)
        differences += len(result.differences)
        unproved += len(result.unproved)
        if json:
            print_json({"file": str(file), "result": result})
        else:
            typer.echo("\n".join(_told(file, result)))
    if differences and proving:
        raise SnowshedError(
            f"{differences} batches differ from the live run: it had another policy (give it with --policy) "
            "or another version of Snowshed"
        )
    if unproved:
        raise SnowshedError(f"{unproved} partitions cannot be folded: record them after the workers' next checkpoint")


def _told(file: Path, result: ReplayResult) -> Iterator[str]:
    yield f"{file}: {result.records} records in {result.batches} batches, {_proof(result)}"
    for difference in result.differences:
        yield f"  {difference.agent}-{difference.partition} version {difference.version}: {difference.reason}"
    for unproved in result.unproved:
        yield f"  {unproved_line(unproved)}"
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
    if result.verified or result.refused:
        return f"{result.verified} of them proved equal to the live run"
    return "no journal to compare with"
