"""Which transactions a source has committed, as far as the collectors of one process know."""

from __future__ import annotations

from math import isnan, nan
from typing import NamedTuple

from snowshed.producers.collectors.mysql.gtid import transactions

__all__ = ["Committed", "SourceLog"]


class Committed(NamedTuple):
    """A source's transactions."""

    gtids: str = ""
    """As the server writes a set of ids."""
    position: float = nan
    """How many they are; NaN if unknown."""


class SourceLog:
    """The furthest that has been learned of a source's log.

    Safe to share between threads: what is known is replaced as a whole.
    """

    def __init__(self) -> None:
        self.known = Committed()

    def learn(self, gtids: str | None) -> float:
        """Take note of a set of ids, or of none, and give the furthest known position."""
        position = transactions(gtids)
        if not position <= self.known.position and not isnan(position):
            self.known = Committed(gtids or "", position)
        return self.known.position
