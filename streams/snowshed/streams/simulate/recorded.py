"""What producers reported in a recording, as events of today."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from snowshed.schemas.codec import Codec
from snowshed.schemas.errors import DecodeError
from snowshed.schemas.records import GroupProgress, Heartbeat, Marker, QuorumAnswers, Record, SlowSample, TimingBatch
from snowshed.streams.replay import Recorded, Recording
from snowshed.streams.simulate.events import Event

__all__ = ["CLOCK_FIELDS", "Again", "again"]

CLOCK_FIELDS: Mapping[type, frozenset[str]] = {
    Heartbeat: frozenset({"sent_at", "monotonic"}),
    TimingBatch: frozenset({"window_start", "sent_at"}),
    SlowSample: frozenset({"started_at"}),
    Marker: frozenset({"written_at", "seen_at", "sent_at", "monotonic"}),
    GroupProgress: frozenset({"asked", "answered", "sent_at"}),
    QuorumAnswers: frozenset({"asked_at", "sent_at"}),
}
"""Readings of a clock in what producers report, by the record that has them."""

_INPUTS = frozenset({"heartbeats", "timings", "markers"})
_Telemetry = Heartbeat | TimingBatch | Marker | GroupProgress | QuorumAnswers


class Again(NamedTuple):
    """A recording's telemetry."""

    events: tuple[Event, ...]
    """In the order in which the broker appended them."""
    left_out: int
    """Records of the inputs that are no telemetry: changes of the policy, and what cannot be decoded."""


def again(recording: Recording, start: float) -> Again:
    """What producers sent, moved in time so that the first of it is sent at `start`, seconds since the Unix epoch."""
    codec, events, left_out = Codec(), list[Event](), 0
    sent = sorted((one for one in recording.records if one.topic in _INPUTS), key=_appended_at)
    by = start - sent[0].message.timestamp if sent else 0.0
    for one in sent:
        try:
            record = codec.decode(one.message.value)
        except DecodeError:
            left_out += 1
            continue
        if isinstance(record, _Telemetry):
            key = (one.message.key or b"").decode(errors="replace")
            events.append(Event(one.message.timestamp + by, one.topic, key, _moved(record, by)))
        else:
            left_out += 1
    return Again(tuple(events), left_out)


def _appended_at(one: Recorded) -> float:
    return one.message.timestamp


def _moved(record: _Telemetry, by: float) -> Record:
    """The record with every reading of a clock later by so many seconds."""
    changed = _clocks(record, by)
    if isinstance(record, TimingBatch):
        changed["slow"] = tuple([replace(sample, **_clocks(sample, by)) for sample in record.slow])
    return replace(record, **changed)


def _clocks(record: object, by: float) -> dict[str, Any]:
    return {name: getattr(record, name) + by for name in CLOCK_FIELDS[type(record)]}
