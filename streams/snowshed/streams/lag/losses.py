"""Markers that never came.

A source's rows are numbered without a gap, so a number that is missing is a row whose marker was lost. Looks at a
replica have no number: one that is missing counts as lost as far as its reporter says that it has dropped something, at
once or by the time that a delivery has been given up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

__all__ = ["Losses", "gapped", "looked"]

_GIVEN_UP = 60.0
"""Seconds after which no loss explains a missing look any more: twice a producer's `message.timeout.ms`."""
_MOST = 1e6


@dataclass(frozen=True, slots=True)
class Losses:
    """What is known of the markers of a server that never came."""

    dropped: float = 0.0
    """Records that the reporter had dropped when it sent the newest."""
    owed: float = 0.0
    """Looks that are missing and not explained by that."""
    missed: float = 0.0
    """When the newest of these was found to be missing."""
    lost: float = 0.0
    """Markers that are lost, none of them a minute after the one before."""
    at: float = 0.0
    """When the newest of these was found to be lost; 0 for never."""
    total: float = 0.0
    """All that were ever lost."""

    def recent(self, now: float) -> float:
        """Markers that are lost, the newest of them less than a minute ago."""
        return self.lost if self.at and now - self.at < _GIVEN_UP else 0.0


def gapped(held: Losses, missing: float, appended: float) -> Losses:
    """The losses of a source after a marker before which so many numbers are missing."""
    return _more(held, min(max(missing, 0.0), _MOST), appended)


def looked(held: Losses, dropped: float, passed: float, period: float, appended: float) -> Losses:
    """The losses of a replica after one more look.

    Args:
        held: those before.
        dropped: records that the reporter has dropped since it started.
        passed: seconds since the look before, by the reporter's monotonic clock.
        period: seconds between two looks.
        appended: the broker's time.
    """
    if dropped < held.dropped or passed <= 0.0:
        return replace(held, dropped=dropped, owed=0.0)
    missing = float(int(min(passed / period, _MOST) + 0.5) - 1) if period > 0.0 else 0.0
    missing = max(missing, 0.0)
    owed = missing + (held.owed if appended - held.missed < _GIVEN_UP else 0.0)
    explained = min(owed, dropped - held.dropped)
    missed = appended if missing else held.missed
    return _more(replace(held, dropped=dropped, owed=owed - explained, missed=missed), explained, appended)


def _more(held: Losses, lost: float, appended: float) -> Losses:
    if not lost:
        return held
    return replace(held, lost=held.recent(appended) + lost, at=appended, total=held.total + lost)
