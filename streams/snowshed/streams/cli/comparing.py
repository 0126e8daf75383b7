"""What `snowshed replay --against` says: one recording under two policies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import typer

from snowshed.schemas.codec import Codec
from snowshed.schemas.errors import ConfigurationError
from snowshed.schemas.topics import Topics
from snowshed.streams.agents.folds import folds
from snowshed.streams.cli.console import print_json
from snowshed.streams.plotting.picture import require_plotting
from snowshed.streams.plotting.policies import plot_comparison
from snowshed.streams.policy import Policy
from snowshed.streams.replay import Comparison, Pair, ReplayResult, Span, compare, read_recording, replay

__all__ = ["compare_policies"]


def compare_policies(
    files: Sequence[Path],
    policies: tuple[tuple[str, Policy], tuple[str, Policy]],
    prefix: str,
    plot: Path | None,
    *,
    json: bool,
) -> None:
    """Fold each recording under two policies, and show what differs.

    Args:
        files: recordings.
        policies: A and B, each with the name under which it is told.
        prefix: of the topics.
        plot: where to draw the two, side by side.
        json: whether programs read it.

    Raises:
        ConfigurationError: a recording cannot be read, or the picture cannot be drawn.
    """
    if plot is not None:
        require_plotting(plot)
        if len(files) > 1:
            raise ConfigurationError(f"--plot {plot} shows one recording, and {len(files)} are given")
    (name_a, a), (name_b, b) = policies
    for file in files:
        recording = read_recording(file)
        # What changed the policy while it was recorded changed A; B is tried from beginning to end.
        judges = (folds(a, Codec()), folds(b, Codec(), pinned=True))
        one, other = (replay(recording, judge, Topics(prefix), Codec()) for judge in judges)
        found = compare(one, other)
        if plot is not None:
            plot_comparison(plot, found, (name_a, name_b))
        if json:
            print_json({"file": str(file), "a": name_a, "b": name_b, "comparison": found, "shifts": _shifts(found)})
        else:
            typer.echo("\n".join(_told(file, found, one, (name_a, name_b))))


def _shifts(found: Comparison) -> list[dict[str, object]]:
    return [{"key": pair.a.key, "seconds": pair.shift} for pair in found.changed]


def _told(file: Path, found: Comparison, one: ReplayResult, names: tuple[str, str]) -> Iterator[str]:
    yield f"{file}: {one.records} records, A = {names[0]}, B = {names[1]}"
    for what in ("incident", "decision"):
        yield f"  {_counts(found, what)}"
    for title, spans in (("only under A", found.only_a), ("only under B", found.only_b)):
        yield from _section(title, [_line(span) for span in spans])
    yield from _section("under both, otherwise", [_changed(pair) for pair in found.changed])
    yield ""
    yield "The traffic is the recorded one under both: what other decisions would have made of it is not shown."


def _counts(found: Comparison, what: str) -> str:
    numbers = {
        "only under A": sum(span.what == what for span in found.only_a),
        "only under B": sum(span.what == what for span in found.only_b),
        "otherwise": sum(pair.a.what == what for pair in found.changed),
        "the same": sum(pair.a.what == what for pair in found.same),
    }
    return f"{what}s: {', '.join(f'{count} {label}' for label, count in numbers.items())}"


def _section(title: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield ""
        yield title
        yield from (f"  {line}" for line in lines)


def _line(span: Span) -> str:
    setting = f": {span.setting}" if span.setting else ""
    return f"{_clock(span.begun)}  {span.what} {span.kind} of {span.subject}, {_length(span)}{setting}"


def _changed(pair: Pair) -> str:
    a, b = pair.a, pair.b
    shift = "at the same time" if abs(pair.shift) < 0.05 else _shift(pair.shift)
    length = f", {_length(a)} under A and {_length(b)} under B" if _length(a) != _length(b) else ""
    setting = f"; A: {a.setting}; B: {b.setting}" if a.setting != b.setting else ""
    return f"{_clock(a.begun)}  {a.what} {a.kind} of {a.subject}: {shift} under B{length}{setting}"


def _shift(seconds: float) -> str:
    return f"{abs(seconds):.1f} s {'later' if seconds > 0 else 'earlier'}"


def _length(span: Span) -> str:
    return "not ended" if span.ended is None else f"for {span.ended - span.begun:.1f} s"


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S")
