"""Whether a look at a group comes in its turn: its reporter's clock tells, and the broker's when that one was set."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

__all__ = ["Look", "Turn", "turn"]

_GIVEN_UP = 30.0
"""Seconds that a record is late at most: a producer's `message.timeout.ms`."""
_MISSED = 2.0
"""Periods without a look after which one that seems older is none that was overtaken."""


class Turn(Enum):
    """How a look stands to the one before."""

    NEXT = "next"
    OVERTAKEN = "overtaken"
    """Late or repeated."""
    ANEW = "anew"
    """The reporter's clock was set in between, so that times of before are not comparable."""


class Look(NamedTuple):
    """When a look was made, by its reporter's clock, and when it was appended, by the broker's."""

    at: float
    appended: float


def turn(before: Look, after: Look, period: float) -> Turn:
    """How a look stands to the newest before it, where there is one every `period` seconds."""
    if after.at <= before.at:
        return Turn.ANEW if after.appended >= before.appended + _MISSED * period else Turn.OVERTAKEN
    jumped = (after.at - before.at) - (after.appended - before.appended)
    return Turn.ANEW if jumped > _GIVEN_UP else Turn.NEXT
