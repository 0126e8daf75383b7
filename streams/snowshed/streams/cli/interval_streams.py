"""What `snowshed replay` says of streams of measurements by interval."""

from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import isfinite, nan
from pathlib import Path

import orjson

from snowshed.schemas.errors import ConfigurationError
from snowshed.streams.causes import (
    Alarm,
    BadLine,
    Diagnosis,
    GivenAlarm,
    History,
    Meta,
    Watch,
    diagnose,
    read_intervals,
)
from snowshed.streams.causes.rows import CONTRACT

__all__ = ["Told", "alarm_line", "bad_lines", "cause_line", "holds_intervals", "read_through", "report_lines"]

_STDIN = "-"
_SHOWN = 5


def _ignore(*_news: object) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True)
class Told:
    """A stream after it has been read to its end."""

    meta: Meta
    history: History
    alarms: tuple[Alarm, ...]
    """Our own; the alarm that the stream gives is in `meta`."""
    diagnosis: Diagnosis | None
    """Of the given alarm or, without one, of our own newest; None where nothing can be compared."""
    left_out: tuple[BadLine, ...]
    """Lines that do not keep to the contract."""


def holds_intervals(path: Path) -> bool:
    """Whether a file is a stream of intervals rather than a recording of the log."""
    if str(path) == _STDIN:
        return True
    with _opened(path) as lines:
        first = next(iter(lines), b"")
    try:
        row: object = orjson.loads(first)
    except orjson.JSONDecodeError:
        return False
    return isinstance(row, dict) and "kind" in row and "format" not in row


def read_through(path: Path, heard: Callable[[Meta, Alarm], None] = _ignore) -> Told:
    """Read a stream to its end, standard input where the path is `-`.

    Args:
        path: the stream.
        heard: told of each of our own alarms as soon as its interval is over.

    Raises:
        ConfigurationError: it cannot be read, or more of its lines are bad than good.
    """
    left_out, taken = list[BadLine](), 0
    with _opened(path, left_out.append) as lines:
        stream = read_intervals(lines, str(path), left_out.append)
        history, watch, alarms = History(stream.meta.edges), Watch(), list[Alarm]()
        for interval in stream.intervals:
            taken += len(interval.nodes) + len(interval.edges)
            history.add(interval)
            if (alarm := watch.take(interval)) is not None:
                alarms.append(alarm)
                heard(stream.meta, alarm)
    if len(left_out) > taken:
        raise ConfigurationError(f"{len(left_out)} lines are bad and {taken} good; {left_out[0]}: {CONTRACT}")
    given = stream.meta.alarm or GivenAlarm(node="", metric="", t=nan)
    if not isfinite(given.t) and watch.newest is not None:
        given = replace(given, t=watch.newest.t)
    diagnosis = diagnose(history, given) if isfinite(given.t) else None
    return Told(stream.meta, history, tuple(alarms), diagnosis, tuple(left_out))


def bad_lines(told: Told) -> Iterator[str]:
    """What has been left out, for people: the first few and their number."""
    yield from (f"left out: {bad}" for bad in told.left_out[:_SHOWN])
    if len(told.left_out) > _SHOWN:
        yield f"left out: {len(told.left_out) - _SHOWN} more lines"


def alarm_line(meta: Meta, alarm: Alarm) -> bytes:
    """One of our own alarms as a JSON line."""
    return orjson.dumps({"issue": meta.id, **{name: getattr(alarm, name) for name in Alarm.__slots__}})


def cause_line(told: Told) -> bytes:
    """The ranked causes as one JSON line."""
    causes = told.diagnosis.causes if told.diagnosis is not None else ()
    return orjson.dumps(
        {"issue": told.meta.id, "ranked": [one.name for one in causes], "scores": [one.score for one in causes]}
    )


def report_lines(path: Path, told: Told) -> Iterator[str]:
    """What a person wants to know."""
    history, given = told.history, told.meta.alarm
    edges = sum(map(len, history.callees.values()))
    yield f"{path}: {len(history.times)} intervals, {len(history.components)} components, {edges} edges"
    for alarm in told.alarms:
        others = f" and {len(alarm.members) - 1} others" if len(alarm.members) > 1 else ""
        yield (
            f"  alarm at {alarm.known_at:g}: {alarm.metric} of {alarm.node}{others}, {alarm.z:.1f} deviations "
            f"(threshold {alarm.threshold:.1f})"
        )
    if given is not None:
        when = f"{given.t:g}" if isfinite(given.t) else "an unknown time"
        yield f"  given alarm at {when}: {given.metric or 'something'} of {given.node or 'somebody'}"
    if not told.alarms and given is None:
        yield "  no alarm; what came nearest to one:"
    causes = told.diagnosis.causes if told.diagnosis is not None else ()
    for number, cause in enumerate(causes, 1):
        yield f"  {number}. {cause.name} ({cause.score:.0%}): {cause.reason}"
    if not causes:
        yield "  no cause: nothing is out of the usual, or there is too little before the alarm to know the usual"


@contextmanager
def _opened(path: Path, leave_out: Callable[[BadLine], None] = _ignore) -> Generator[Iterator[bytes]]:
    if str(path) == _STDIN:
        yield iter(sys.stdin.buffer)
        return
    try:
        with gzip.open(path) if path.name.endswith(".gz") else path.open("rb") as file:
            yield _until_torn(file, path, leave_out)
    except (OSError, zlib.error) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from error


def _until_torn(file: Iterable[bytes], path: Path, leave_out: Callable[[BadLine], None]) -> Iterator[bytes]:
    """The lines of a file; those before the tear where its writer was killed."""
    try:
        yield from file
    except EOFError as error:
        leave_out(BadLine(str(path), f"is torn at its end: {error}"))
