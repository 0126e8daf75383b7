"""PostgreSQL's positions in its write-ahead log."""

from __future__ import annotations

import re
from math import nan

__all__ = ["lsn_bytes"]

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
