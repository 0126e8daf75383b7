"""PostgreSQL's positions in its write-ahead log."""

from __future__ import annotations

import re
from math import isnan, nan

__all__ = ["SourcePosition", "lsn_bytes"]

_LSN = re.compile(r"([0-9A-Fa-f]{1,8})/([0-9A-Fa-f]{1,8})")


def lsn_bytes(text: str | None) -> float:
    """Bytes of log up to a position such as `16/B374D848`; NaN for None, which a server without one answers.

    A float holds it exactly up to 2**53 bytes, 8 PiB of log.

    Raises:
        ValueError: the text is not a position.
    """
    if text is None:
        return nan
    match = _LSN.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a position in PostgreSQL's log, such as 16/B374D848")
    return float((int(match[1], 16) << 32) + int(match[2], 16))


class SourcePosition:
    """The furthest position of a source that any collector of this process has learned; NaN before the first.

    Safe to share between threads: a value that loses a race is at most one poll old.
    """

    def __init__(self) -> None:
        self.value = nan

    def learn(self, position: float) -> float:
        """Take note of a position, NaN included, and give the furthest known one."""
        if not position <= self.value and not isnan(position):
            self.value = position
        return self.value
