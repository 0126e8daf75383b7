"""Bytes for people to read."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["as_text", "hex_dump", "shown"]

_WIDTH = 16
_PRINTABLE = range(0x20, 0x7F)


def as_text(raw: bytes) -> str | None:
    """The bytes as text, None where they are no text that a terminal could show."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return None
    return text if all(char.isprintable() or char in "\n\t" for char in text) else None


def hex_dump(raw: bytes) -> Iterator[str]:
    """Lines of offset, bytes in hexadecimal and, where they are ASCII, characters."""
    for start in range(0, len(raw), _WIDTH):
        part = raw[start : start + _WIDTH]
        characters = "".join(chr(byte) if byte in _PRINTABLE else "." for byte in part)
        yield f"{start:08x}  {part.hex(' '):<{3 * _WIDTH - 1}}  {characters}"


def shown(raw: bytes, limit: int) -> str:
    """The first `limit` bytes, as text where they all are, else as a dump; what is left out is counted."""
    part = raw[:limit]
    text = as_text(part)
    body = "\n".join(hex_dump(part)) if text is None else text
    return body if len(raw) <= limit else f"{body}\n… {len(raw) - limit} bytes more"
