"""A recording: JSON lines, gzipped when the file's name ends in `.gz`.

The first line is `{"kind": "meta", "format": "snowshed-recording/1", "partitions": {"heartbeats": 8, …}}`. Each further
line is one record as it stood in the log, addressed by the catalogue's short topic name, key and value in base64:
`{"kind": "record", "topic": "heartbeats", "partition": 0, "offset": 12, "timestamp": 1790000000.5, "key": …,
"value": …}`.
Unknown keys and kinds are ignored. Journal records in a recording let a replay use the very batches of the live run.
"""

from __future__ import annotations

import gzip
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, cast

import orjson

from snowshed.schemas.errors import ConfigurationError
from snowshed.streams.folding import Message

__all__ = ["Recorded", "Recording", "read_recording", "write_recording"]

_FORMAT = "snowshed-recording/1"


@dataclass(frozen=True, slots=True)
class Recorded:
    """One record of a recording."""

    topic: str
    """Short topic name."""
    partition: int
    message: Message


@dataclass(frozen=True, slots=True)
class Recording:
    """A stretch of the log."""

    partitions: Mapping[str, int]
    """Partition counts by short topic name."""
    records: tuple[Recorded, ...]

    def of(self, topic: str) -> tuple[Recorded, ...]:
        """The records of one topic by partition and offset."""
        found = (record for record in self.records if record.topic == topic)
        return tuple(sorted(found, key=lambda record: (record.partition, record.message.offset)))


def write_recording(path: Path, partitions: Mapping[str, int], records: Iterable[Recorded]) -> int:
    """Write a recording; the number of records written."""
    count = 0
    with _open(path, "wb") as file:
        file.write(orjson.dumps({"kind": "meta", "format": _FORMAT, "partitions": dict(partitions)}) + b"\n")
        for record in records:
            file.write(orjson.dumps(_line(record)) + b"\n")
            count += 1
    return count


def read_recording(path: Path) -> Recording:
    """Read a recording.

    Raises:
        ConfigurationError: the file cannot be read or a line of it is not what the format says.
    """
    try:
        with _open(path, "rb") as file:
            lines = _parsed(path, file)
            _, meta = next(lines, (0, dict[str, Any]()))
            if meta.get("kind") != "meta" or meta.get("format") != _FORMAT:
                raise ConfigurationError(
                    f"{path}: line 1 is not the head of a recording ({_FORMAT}); "
                    "make one with `snowshed record` or `snowshed publish scenario NAME --out FILE`"
                )
            records = tuple(_record(path, number, line) for number, line in lines if line.get("kind") == "record")
    except OSError as error:
        raise ConfigurationError(f"recording {path} cannot be read: {error.strerror or error}") from error
    return Recording(meta["partitions"], records)


def _open(path: Path, mode: Literal["rb", "wb"]) -> AbstractContextManager[IO[bytes]]:
    if path.suffix == ".gz":
        return cast("IO[bytes]", gzip.open(path, mode))
    return path.open(mode)


def _parsed(path: Path, file: Iterable[bytes]) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        try:
            parsed = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise ConfigurationError(f"{path}: line {number} is not JSON: {error}") from error
        if not isinstance(parsed, dict):
            raise ConfigurationError(f"{path}: line {number} is not a JSON object")
        yield number, cast("dict[str, Any]", parsed)


def _record(path: Path, number: int, line: Mapping[str, Any]) -> Recorded:
    try:
        message = Message(int(line["offset"]), float(line["timestamp"]), _bytes(line["key"]), _bytes(line["value"]))
        return Recorded(str(line["topic"]), int(line["partition"]), message)
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigurationError(f"{path}: line {number} is not a record: {type(error).__name__} {error}") from error


def _line(record: Recorded) -> dict[str, Any]:
    message = record.message
    return {
        "kind": "record",
        "topic": record.topic,
        "partition": record.partition,
        "offset": message.offset,
        "timestamp": message.timestamp,
        "key": _text(message.key),
        "value": _text(message.value),
    }


def _text(raw: bytes | None) -> str | None:
    return None if raw is None else b64encode(raw).decode()


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else b64decode(text, validate=True)
