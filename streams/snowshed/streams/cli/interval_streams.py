"""What `snowshed replay` says of streams of measurements by interval."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson

from snowshed.schemas.errors import ConfigurationError
from snowshed.streams.causes import Alarm, Diagnosis, GivenAlarm, History, Meta, Watch, diagnose, read_intervals

__all__ = ["Told", "alarm_lines", "cause_line", "holds_intervals", "read_through", "report_lines"]

_STDIN = "-"


@dataclass(frozen=True, slots=True)
class Told:
    """A stream after it has been read to its end."""

    meta: Meta
    history: History
    alarms: tuple[Alarm, ...]
    """Our own; the alarm that the stream gives is in `meta`."""
    diagnosis: Diagnosis | None
    """Of the given alarm or, without one, of our own newest; None where nothing can be compared."""


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


def read_through(path: Path) -> Told:
    """Read a stream to its end, standard input where the path is `-`.

    Raises:
        ConfigurationError: it cannot be read.
    """
    with _opened(path) as lines:
        stream = read_intervals(lines, str(path))
        history, watch, alarms = History(stream.meta.edges), Watch(), list[Alarm]()
        for interval in stream.intervals:
            history.add(interval)
            if (alarm := watch.take(interval)) is not None:
                alarms.append(alarm)
    given = stream.meta.alarm
    if given is None and watch.newest is not None:
        given = GivenAlarm(node="", metric="", t=watch.newest.t)
    return Told(stream.meta, history, tuple(alarms), diagnose(history, given) if given is not None else None)


def alarm_lines(told: Told) -> Iterator[bytes]:
    """Our own alarms, a JSON line each."""
    for alarm in told.alarms:
        yield orjson.dumps({"issue": told.meta.id, **{name: getattr(alarm, name) for name in Alarm.__slots__}})


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
        yield f"  given alarm at {given.t:g}: {given.metric or 'something'} of {given.node or 'somebody'}"
    if not told.alarms and given is None:
        yield "  no alarm; what came nearest to one:"
    causes = told.diagnosis.causes if told.diagnosis is not None else ()
    for number, cause in enumerate(causes, 1):
        yield f"  {number}. {cause.name} ({cause.score:.0%}): {cause.reason}"
    if not causes:
        yield "  no cause: nothing is out of the usual, or there is too little before the alarm to know the usual"


@contextmanager
def _opened(path: Path) -> Generator[Iterator[bytes]]:
    if str(path) == _STDIN:
        yield iter(sys.stdin.buffer)
        return
    try:
        with gzip.open(path) if path.name.endswith(".gz") else path.open("rb") as file:
            yield iter(file)
    except (OSError, EOFError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from error
