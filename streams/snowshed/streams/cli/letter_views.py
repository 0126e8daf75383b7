"""Dead letters as tables, text and JSON."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from rich.markup import escape
from rich.table import Table

from snowshed.schemas.codec import Codec
from snowshed.schemas.errors import DecodeError
from snowshed.schemas.records import Record
from snowshed.streams.dead_letters.book import Entry
from snowshed.streams.dead_letters.reading import Opened
from snowshed.streams.dead_letters.text import as_text, shown

__all__ = ["as_json", "remarks", "table", "told"]

_REASON = 70
"""Characters of a reason in the list."""
_VALUE = 1_024
_SMALL = 256
"""Bytes of a value, and of a key or a header, that are shown; JSON and --out have all."""


def table(entries: Sequence[Entry], *, retried: bool) -> Table:
    """Letters in a list.

    Args:
        entries: newest last.
        retried: with a column that says which were retried.
    """
    rows = Table(box=None, pad_edge=False)
    for name in ("id", "when", "error", "reason", "size", *(["retried"] if retried else [])):
        rows.add_column(name, justify="right" if name == "size" else "left", no_wrap=name == "id", overflow="fold")
    for entry in entries:
        cells = [entry.id, _time(entry.rejected_at), entry.error, _shortened(entry.reason), f"{entry.size:,}"]
        if retried:
            cells.append("" if entry.retried_at is None else _time(entry.retried_at))
        rows.add_row(*map(escape, cells))
    return rows


def remarks(count: int, hidden: int, foreign: int) -> Iterator[str]:
    """What else there is to say of a list."""
    yield f"{count} dead letters" if count else "no dead letters"
    if hidden:
        yield f"{hidden} more were retried: --all shows them"
    if foreign:
        yield f"{foreign} records on the topic are no dead letters: another program, or a newer Snowshed, writes to it"


def told(entry: Entry, opened: Opened, codec: Codec) -> Iterator[str]:
    """All that one letter holds, line by line."""
    letter, original = opened.letter, opened.original
    yield f"letter    {entry.id}"
    yield f"from      {letter.topic}[{letter.partition}]@{letter.offset}, appended {_time(letter.timestamp)}"
    yield f"rejected  {_time(letter.rejected_at)}"
    if entry.retried_at is not None:
        yield f"retried   {_time(entry.retried_at)}, to {entry.retried_to}"
    yield f"error     {letter.error}: {letter.reason}"
    yield f"key       {_small(original.key)}"
    yield from (f"header    {name}: {_small(value)}" for name, value in original.headers)
    yield f"value     {'null' if original.value is None else f'{entry.size:,} bytes'}{_cut(opened)}"
    if original.value:
        yield shown(original.value, _VALUE)
    yield f"decoded   {_decoded(codec, original.value)}"


def as_json(entry: Entry, opened: Opened, codec: Codec) -> dict[str, Any]:
    """The same for programs, bytes in base64."""
    letter, original = opened.letter, opened.original
    record = _decoded(codec, original.value)
    return {
        "id": entry.id,
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "timestamp": letter.timestamp,
        "rejected_at": letter.rejected_at,
        "retried_at": entry.retried_at,
        "retried_to": entry.retried_to,
        "error": letter.error,
        "reason": letter.reason,
        "key": _base64(original.key),
        "headers": [{"name": name, "value": _base64(value)} for name, value in original.headers],
        "value": _base64(original.value),
        "text": None if original.value is None else as_text(original.value),
        "size": entry.size,
        "cut": letter.cut,
        "missing": opened.missing,
        "decoded": None if isinstance(record, str) else {"record": type(record).__name__, **asdict(record)},
        "undecodable": record if isinstance(record, str) else "",
    }


def _cut(opened: Opened) -> str:
    if opened.missing:
        return f"; {opened.missing}"
    return ", read from where the record came from" if opened.letter.cut else ""


def _decoded(codec: Codec, value: bytes | None) -> Record | str:
    """The record in a value, or why there is none to be read."""
    try:
        return codec.decode(value)
    except DecodeError as error:
        return f"not possible: {error}"


def _small(raw: bytes | None) -> str:
    if raw is None:
        return "null"
    text = as_text(raw[:_SMALL])
    return (raw[:_SMALL].hex(" ") if text is None else text) + ("…" if len(raw) > _SMALL else "")


def _shortened(reason: str) -> str:
    line = " ".join(reason.split())
    return line if len(line) <= _REASON else f"{line[: _REASON - 1]}…"


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _base64(raw: bytes | None) -> str | None:
    return None if raw is None else b64encode(raw).decode()
