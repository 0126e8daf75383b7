"""A recording: JSON lines, gzipped when the file's name ends in `.gz`.

The first line is `{"kind": "meta", "format": "snowshed-recording/1", "partitions": {"heartbeats": 8, …}}`. Each further
line is one record as it stood in the log, addressed by the catalogue's short topic name, key and value in base64:
`{"kind": "record", "topic": "heartbeats", "partition": 0, "offset": 12, "timestamp": 1790000000.5, "key": …,
"value": …}`. Instead of `key` and `value` it may have them in clear: `"name": "orders-1", "type": "Heartbeat",
"record": {…}`. Unknown keys and kinds are ignored. Journal records in a recording let a replay use the very batches of
the live run.
"""

from __future__ import annotations

import gzip
from base64 import b64decode, b64encode
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import orjson

from snowshed.schemas.codec import Codec
from snowshed.schemas.errors import ConfigurationError
from snowshed.streams.folding import Message
from snowshed.streams.replay.plain import from_plain, to_plain

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


def write_recording(
    path: Path, partitions: Mapping[str, int], records: Iterable[Recorded], *, clear: bool = False
) -> int:
    """Write a recording, the same bytes for the same records; the number of records written.

    Args:
        path: gzipped when its name ends in `.gz`.
        partitions: partition counts by short topic name.
        records: in the order in which they are to stand.
        clear: whether values are written for people and other tools to read.
    """
    count, codec = 0, Codec()
    with _writing(path) as file:
        file.write(orjson.dumps({"kind": "meta", "format": _FORMAT, "partitions": dict(partitions)}) + b"\n")
        for record in records:
            file.write(orjson.dumps(_clear_line(record, codec) if clear else _line(record)) + b"\n")
            count += 1
    return count


def read_recording(path: Path) -> Recording:
    """Read a recording.

    Raises:
        ConfigurationError: the file cannot be read or a line of it is not what the format says.
    """
    try:
        with _reading(path) as file:
            lines = _parsed(path, file)
            _, meta = next(lines, (0, dict[str, Any]()))
            if meta.get("kind") != "meta" or meta.get("format") != _FORMAT:
                raise ConfigurationError(
                    f"{path}: line 1 is not the head of a recording ({_FORMAT}); "
                    "make one with `snowshed record` or `snowshed publish scenario NAME --out FILE`"
                )
            codec = Codec()
            records = tuple(
                _record(path, number, line, codec) for number, line in lines if line.get("kind") == "record"
            )
    except OSError as error:
        raise ConfigurationError(f"recording {path} cannot be read: {error.strerror or error}") from error
    return Recording(meta["partitions"], records)


def _reading(path: Path) -> AbstractContextManager[IO[bytes]]:
    return cast("IO[bytes]", gzip.open(path)) if path.suffix == ".gz" else path.open("rb")


@contextmanager
def _writing(path: Path) -> Generator[IO[bytes]]:
    with ExitStack() as stack:
        file: IO[bytes] = stack.enter_context(path.open("wb"))
        if path.suffix == ".gz":
            # Neither a name nor a time in its head, so that the same records give the same bytes.
            packed = stack.enter_context(gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0))
            file = cast("IO[bytes]", packed)
        yield file


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


def _record(path: Path, number: int, line: Mapping[str, Any], codec: Codec) -> Recorded:
    try:
        key, value = _content(line, codec)
        message = Message(int(line["offset"]), float(line["timestamp"]), key, value)
        return Recorded(str(line["topic"]), int(line["partition"]), message)
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: line {number}: {error}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigurationError(f"{path}: line {number} is not a record: {type(error).__name__} {error}") from error


def _content(line: Mapping[str, Any], codec: Codec) -> tuple[bytes | None, bytes | None]:
    if "record" in line:
        return str(line["name"]).encode(), codec.encode(from_plain(str(line["type"]), line["record"]))
    return _bytes(line["key"]), _bytes(line["value"])


def _line(record: Recorded) -> dict[str, Any]:
    return {**_place(record), "key": _text(record.message.key), "value": _text(record.message.value)}


def _clear_line(record: Recorded, codec: Codec) -> dict[str, Any]:
    value = codec.decode(record.message.value)
    name = (record.message.key or b"").decode()
    return {**_place(record), "name": name, "type": type(value).__name__, "record": to_plain(value)}


def _place(record: Recorded) -> dict[str, Any]:
    return {
        "kind": "record",
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.message.offset,
        "timestamp": record.message.timestamp,
    }


def _text(raw: bytes | None) -> str | None:
    return None if raw is None else b64encode(raw).decode()


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else b64decode(text, validate=True)
