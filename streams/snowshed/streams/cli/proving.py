"""Tells people what a proof came to."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from snowshed.schemas.topics import AGENTS
from snowshed.streams.replay import Difference, Proof, Unproved

__all__ = ["proof_lines", "unproved_line"]

_WIDTH = 200
"""Characters of a value that are shown."""


def proof_lines(proof: Proof) -> Iterator[str]:
    """The first difference in full and how many others there are, or else the proof; then what could not be proved."""
    if proof.differences:
        yield from _difference_lines(proof.differences[0])
        if proof.differing > 1:
            yield f"and {proof.differing - 1} others"
    elif proof.lanes:
        yield _paragraph(proof)
    else:
        yield "nothing was folded yet: there is nothing to prove"
    for unproved in proof.unproved:
        yield unproved_line(unproved)


def unproved_line(unproved: Unproved) -> str:
    """Why a partition cannot be proved, and since when it will be."""
    line = f"{unproved.agent}-{unproved.partition} cannot be proved yet: {unproved.reason}"
    if unproved.provable_from is None:
        return line
    return (
        f"{line}; it can be from its next checkpoint on, which by default comes with its first batch after "
        f"{_time(unproved.provable_from)}"
    )


def _paragraph(proof: Proof) -> str:
    since, until = min(lane.since for lane in proof.lanes), max(lane.until for lane in proof.lanes)
    checkpoints = sum(lane.checkpoints for lane in proof.lanes)
    refused = sum(lane.refused for lane in proof.lanes)
    text = (
        f"Proved: from {_time(since)} to {_time(until)} every decision followed from the input. "
        f"{proof.batches} batches with {proof.records} records on {len(proof.lanes)} partitions were folded again; "
        f"{proof.outputs} outputs, {proof.state_keys} state keys and {checkpoints} checkpoints are equal byte for byte"
    )
    if proof.compacted or proof.expired:
        text += (
            f"; {proof.compacted} outputs have been replaced by later ones of their keys and {proof.expired} have "
            "expired since, but their batches have the journalled digests"
        )
    if refused:
        text += f"; {refused} records were set aside because the broker refused their outputs, which no fold can show"
    return f"{text}."


def _difference_lines(difference: Difference) -> Iterator[str]:
    yield f"FIRST DIFFERENCE, {difference.kind.value}: {difference.reason}"
    for name, value in _places(difference):
        yield f"  {name:<9} {value}"
    for each in difference.fields:
        yield f"  {each.name}"
        yield f"    expected  {_shown(each.expected)}"
        yield f"    found     {_shown(each.found)}"


def _places(difference: Difference) -> Iterator[tuple[str, str]]:
    if difference.topic:
        offset = f" offset {difference.offset}" if difference.offset >= 0 else ""
        yield "stands", f"{difference.topic}[{difference.topic_partition}]{offset}"
    if difference.key:
        yield "key", difference.key
    if difference.agent:
        yield "agent", f"{difference.agent}, partition {difference.partition}"
    if difference.version >= 0:
        yield "batch", _batch(difference)
    yield "time", _time(difference.at)


def _batch(difference: Difference) -> str:
    output = f", output {difference.index}" if difference.index >= 0 else ""
    if difference.next_offset < 0:
        return f"version {difference.version}{output}"
    first = f"from offset {difference.first_offset} " if difference.first_offset >= 0 else ""
    source = AGENTS[difference.agent]
    return f"version {difference.version}{output}, {source} {first}up to before offset {difference.next_offset}"


def _shown(value: str | None) -> str:
    if value is None:
        return "(nothing)"
    return value if len(value) <= _WIDTH else f"{value[:_WIDTH]}… ({len(value)} characters)"


def _time(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
