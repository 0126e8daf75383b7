"""What datasets keep while their servers are cut off from each other: which side fences, what may be read."""

from snowshed.streams.consistency.sides import Evidence, Side, reaching, sides
from snowshed.streams.consistency.staleness import Answers, answers
from snowshed.streams.consistency.stance import Cut, Stance, fenced, marking
from snowshed.streams.consistency.writes import EVERYTHING, Replication, WriteLaw, WriteThrottle, slowed

__all__ = [
    "EVERYTHING",
    "Answers",
    "Cut",
    "Evidence",
    "Replication",
    "Side",
    "Stance",
    "WriteLaw",
    "WriteThrottle",
    "answers",
    "fenced",
    "marking",
    "reaching",
    "sides",
    "slowed",
]
