"""The bytes of one timing batch, walked without building records.

An Avro array of `float` is contiguous IEEE 754 on the wire, and all columns of a batch have one length, so that they
lie at a constant stride and are viewed as one matrix. Whatever does not look exactly like that (arrays split into
blocks, other schema versions, damage) is left to the codec, which reads or rejects it.
"""

from __future__ import annotations

import struct
from dataclasses import fields
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from snowshed.schemas.records import TimingBatch, Vantage

__all__ = ["COLUMNS", "Layout", "Unusual", "packed", "string_table", "walk"]

_NAMES = [item.name for item in fields(TimingBatch)]
COLUMNS = tuple(_NAMES[_NAMES.index("caller") : _NAMES.index("latency_end") + 1])
"""Names of the columns with one number a row, in wire order."""

_WIDTH = len(COLUMNS)
_BLOCK_ENDS = bytes(_WIDTH)
_VANTAGES = tuple(Vantage)
_NONE = np.empty(0, np.float32)
_WINDOW = struct.Struct("<dd?dd")
_LONG_OR_NEGATIVE = 0x81
"""Bits of a length's first byte of which neither is set in one below 64, which that byte holds alone."""
_SAMPLE_NUMBERS = 16
"""Bytes of a slow sample's two doubles."""


class Unusual(Exception):
    """The bytes are not laid out as this module expects; they may still be a sound record."""


class Layout(NamedTuple):
    """One timing batch, its columns still on loan from the message."""

    reporter: str
    callee: str
    vantage: Vantage
    start: float
    window: float
    urgent: bool
    lost: float
    strings: bytes
    """The strings as they lie in the record; empty if it was decoded by the codec."""
    values: NDArray[np.float32]
    """Shape (`len(COLUMNS)`, rows)."""
    buckets: NDArray[np.float32]
    counts: NDArray[np.float32]
    hits: NDArray[np.float32]
    """One a row, or none at all."""


def walk(raw: bytes, start: int) -> Layout:
    """The layout of the record whose payload starts at `start`.

    Raises:
        Unusual: the codec must look at it.
    """
    try:
        return _walk(raw, start)
    except (IndexError, ValueError, struct.error) as error:
        raise Unusual from error


def string_table(raw: bytes) -> tuple[str, ...]:
    """The strings in the raw bytes of a layout.

    Raises:
        Unusual: one of them is not UTF-8.
    """
    count, at = _long(raw, 0)
    strings: list[str] = []
    try:
        for _ in range(count):
            text, at = _string(raw, at)
            strings.append(text)
    except UnicodeDecodeError as error:
        raise Unusual from error
    return tuple(strings)


def packed(record: TimingBatch) -> Layout:
    """The same of a decoded record.

    Raises:
        Unusual: its columns have different lengths.
    """
    columns = [getattr(record, name) for name in COLUMNS]
    lengths = {len(column) for column in (*columns, record.cache_hits or columns[0])}
    if len(lengths) != 1 or len(record.latency_bucket) != len(record.latency_count):
        raise Unusual
    return Layout(
        record.reporter,
        record.callee,
        record.vantage,
        record.window_start,
        record.window,
        record.urgent,
        record.lost,
        b"",
        np.array(columns, np.float32),
        np.array(record.latency_bucket, np.float32),
        np.array(record.latency_count, np.float32),
        np.array(record.cache_hits, np.float32),
    )


def _walk(raw: bytes, at: int) -> Layout:
    reporter, at = _string(raw, at)
    _, at = _string(raw, at)
    callee, at = _string(raw, at)
    vantage = _VANTAGES[raw[at] >> 1]
    if raw[at] & 1 or raw[at + 1 + 16] > 1:
        raise Unusual
    start, window, urgent, lost, _ = _WINDOW.unpack_from(raw, at + 1)
    behind = at + 1 + _WINDOW.size
    at = _skip_strings(raw, behind)
    strings = raw[behind:at]
    values, at = _matrix(raw, at)
    buckets, at = _column(raw, at)
    counts, at = _column(raw, at)
    hits, at = _column(raw, _skip_samples(raw, at))
    if at != len(raw) or len(buckets) != len(counts) or len(hits) not in {0, values.shape[1]}:
        raise Unusual
    return Layout(reporter, callee, vantage, start, window, urgent, lost, strings, values, buckets, counts, hits)


def _long(raw: bytes, at: int) -> tuple[int, int]:
    byte = raw[at]
    value, shift = byte & 0x7F, 7
    at += 1
    while byte & 0x80:
        byte = raw[at]
        value |= (byte & 0x7F) << shift
        shift += 7
        at += 1
    return (value >> 1) ^ -(value & 1), at


def _length(raw: bytes, at: int) -> tuple[int, int]:
    byte = raw[at]
    length, at = _long(raw, at) if byte & _LONG_OR_NEGATIVE else (byte >> 1, at + 1)
    if not 0 <= length <= len(raw) - at:
        raise Unusual
    return length, at


def _string(raw: bytes, at: int) -> tuple[str, int]:
    length, at = _length(raw, at)
    end = at + length
    return raw[at:end].decode(), end


def _skip_strings(raw: bytes, at: int) -> int:
    count, at = _length(raw, at)
    if not count:
        return at
    for _ in range(count):
        byte = raw[at]
        if byte & _LONG_OR_NEGATIVE:
            length, at = _length(raw, at)
            at += length
        else:
            at += 1 + (byte >> 1)
    return _end(raw, at)


def _matrix(raw: bytes, at: int) -> tuple[NDArray[np.float32], int]:
    rows, first = _length(raw, at)
    if not rows:
        return _empty_matrix(raw, at)
    stride = first - at + 4 * rows + 1
    end = at + stride * _WIDTH
    if end > len(raw):
        raise Unusual
    heads_agree = all(
        raw[at + place : end : stride] == raw[at + place : at + place + 1] * _WIDTH for place in range(first - at)
    )
    if not heads_agree or raw[at + stride - 1 : end : stride] != _BLOCK_ENDS:
        raise Unusual
    return np.ndarray((_WIDTH, rows), "<f4", raw, first, (stride, 4)), end


def _empty_matrix(raw: bytes, at: int) -> tuple[NDArray[np.float32], int]:
    if raw[at : at + len(COLUMNS)].strip(b"\0"):
        raise Unusual
    return np.empty((len(COLUMNS), 0), np.float32), at + len(COLUMNS)


def _column(raw: bytes, at: int) -> tuple[NDArray[np.float32], int]:
    count, at = _length(raw, at)
    if not count:
        return _NONE, at
    return np.frombuffer(raw, "<f4", count, at), _end(raw, at + 4 * count)


def _skip_samples(raw: bytes, at: int) -> int:
    count, at = _length(raw, at)
    if not count:
        return at
    for _ in range(count):
        _, at = _long(raw, at)
        _, at = _string(raw, at + _SAMPLE_NUMBERS)
        _, at = _long(raw, at)
        _, at = _string(raw, at)
    return _end(raw, at)


def _end(raw: bytes, at: int) -> int:
    if raw[at]:
        raise Unusual
    return at + 1
