"""How long to wait before a retry; pure."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Backoff"]

_LARGEST_EXPONENT = 1_000
"""2 to this power is still a float."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Retry number n waits U(½, 1) · min(longest, first · 2ⁿ⁻¹) seconds, so that callers that failed together part."""

    first: float = 0.1
    """Seconds, at most, before the first retry."""
    longest: float = 5.0
    """Seconds that no wait exceeds."""

    def wait(self, retry: int, draw: float) -> float:
        """Seconds before retry number `retry`, from 1, for a number drawn from [0, 1)."""
        doubled = self.first * 2.0 ** min(retry - 1, _LARGEST_EXPONENT)
        return min(self.longest, doubled) * (0.5 + 0.5 * draw)
