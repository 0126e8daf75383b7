"""MurmurHash2, 32 bits, as Kafka's clients seed and finish it (A. Appleby, public domain algorithm)."""

from __future__ import annotations

__all__ = ["murmur2"]

_SEED = 0x9747B28C
_FACTOR = 0x5BD1E995
_MASK = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """The hash of a key, unsigned."""
    state = _SEED ^ len(data)
    whole = len(data) & ~3
    for i in range(0, whole, 4):
        word = int.from_bytes(data[i : i + 4], "little") * _FACTOR & _MASK
        state = (state * _FACTOR ^ (word ^ word >> 24) * _FACTOR) & _MASK
    if whole < len(data):
        state = (state ^ int.from_bytes(data[whole:], "little")) * _FACTOR & _MASK
    state = (state ^ state >> 13) * _FACTOR & _MASK
    return state ^ state >> 15
