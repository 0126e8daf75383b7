"""Heartbeats read a batch at a time.

On the wire a heartbeat is its frame, its strings and its status, and then nothing but doubles. A node repeats
everything before the doubles in every beat, so those bytes are looked up instead of parsed, and the doubles of all
beats are read by one call. Bytes seen for the first time, and other schema versions, go through the codec.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from snowshed.schemas.codec import Codec
from snowshed.schemas.errors import DecodeError, SchemaMismatch
from snowshed.schemas.records import Heartbeat, NodeStatus
from snowshed.streams.folding import Decoded, Message, Reject

__all__ = ["COLUMNS", "HeartbeatColumns", "HeartbeatReader", "NodeIdentity"]

_NAMES = tuple(item.name for item in fields(Heartbeat))
_SPLIT = _NAMES.index("status") + 1
COLUMNS = _NAMES[_SPLIT:]
"""Names of the numbers of a heartbeat, in wire order."""

_TAIL = struct.Struct(f"<{len(COLUMNS)}d")
_numbers = attrgetter(*COLUMNS)
_LOCAL_HEALTH = COLUMNS.index("local_health")
_WORST_HEALTH = 7.0
_REQUIRED = [COLUMNS.index(name) for name in ("seq", "sent_at", "monotonic", "interval")]


class NodeIdentity(NamedTuple):
    """What a heartbeat says in words."""

    node: str
    service: str
    zone: str
    region: str
    role: str
    host: str
    version: str
    status: NodeStatus


_identity = attrgetter(*NodeIdentity._fields)


@dataclass(frozen=True, slots=True, eq=False)
class HeartbeatColumns:
    """Heartbeats in log order; row `i` is beat `i`."""

    identities: tuple[NodeIdentity, ...]
    values: NDArray[np.float64]
    """Shape (beats, `len(COLUMNS)`); NaN stands for every number that is not finite, local health lies in 0 to 7."""
    append_times: tuple[float, ...]
    offsets: tuple[int, ...]


class HeartbeatReader:
    """Reads heartbeats, remembering the words of at most `remembered` different senders.

    The memory only saves work; it never changes what is read.
    """

    def __init__(self, codec: Codec, remembered: int = 65_536) -> None:
        self._codec = codec
        self._remembered = remembered
        self._known: dict[bytes, NodeIdentity] = {}
        self._frame = codec.encode(Heartbeat(node="", service="", seq=0, sent_at=0, monotonic=0, interval=0))[:5]

    def read(self, messages: Sequence[Message]) -> Decoded[HeartbeatColumns]:
        """The readable beats by column, and the rest with its reasons."""
        known, size = self._known, _TAIL.size
        identities: list[NodeIdentity] = []
        tails: list[bytes] = []
        taken: list[Message] = []
        rejects: list[Reject] = []
        for message in messages:
            value = message.value or b""
            identity, tail = known.get(value[:-size]), value[-size:]
            if identity is None:
                try:
                    identity, tail = self._decode(message.value)
                except DecodeError as error:
                    rejects.append(Reject(message, error))
                    continue
            identities.append(identity)
            tails.append(tail)
            taken.append(message)
        values = np.frombuffer(b"".join(tails), "<f8").reshape(-1, len(COLUMNS))
        return _usable(identities, values, taken, rejects)

    def _decode(self, value: bytes | None) -> tuple[NodeIdentity, bytes]:
        record = self._codec.decode(value)
        if not isinstance(record, Heartbeat):
            raise SchemaMismatch(f"a {type(record).__name__} stands where heartbeats belong")
        identity = NodeIdentity(*_identity(record))
        if value is not None and value.startswith(self._frame):
            self._remember(value[: -_TAIL.size], identity)
        return identity, _TAIL.pack(*_numbers(record))

    def _remember(self, words: bytes, identity: NodeIdentity) -> None:
        if len(self._known) >= self._remembered:
            self._known.clear()
        self._known[words] = identity


def _usable(
    identities: list[NodeIdentity], values: NDArray[np.float64], taken: list[Message], rejects: list[Reject]
) -> Decoded[HeartbeatColumns]:
    sound = np.isfinite(values[:, _REQUIRED]).all(axis=1) & (values[:, _REQUIRED[-1]] > 0.0)
    if not sound.all():
        for index in np.flatnonzero(~sound).tolist():
            reason = "seq, sent_at, monotonic and interval must be finite, and interval positive"
            rejects.append(Reject(taken[index], SchemaMismatch(f"heartbeat of {identities[index].node}: {reason}")))
        rejects.sort(key=lambda reject: reject.message.offset)
        kept = np.flatnonzero(sound).tolist()
        identities = [identities[index] for index in kept]
        taken = [taken[index] for index in kept]
        values = values[sound]
    columns = HeartbeatColumns(
        identities=tuple(identities),
        values=_cleaned(values),
        append_times=tuple([message.timestamp for message in taken]),
        offsets=tuple([message.offset for message in taken]),
    )
    return Decoded(columns, tuple(rejects))


def _cleaned(values: NDArray[np.float64]) -> NDArray[np.float64]:
    cleaned = np.where(np.isfinite(values), values, np.nan)
    cleaned[:, _LOCAL_HEALTH] = np.clip(np.nan_to_num(cleaned[:, _LOCAL_HEALTH]), 0.0, _WORST_HEALTH)
    return cleaned
