"""Which servers may answer an `ap` read, and how old an answer of each is at most.

What counts is the upper end of the lag's interval, and between reports it grows with the clock: a server cannot have
gone back, so its answer is at most so much older as time has passed. Where the end is not known the server counts as
over the bound.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan

__all__ = ["Answers", "answers"]


@dataclass(frozen=True, slots=True)
class Answers:
    """Servers by what may be read from them, each with the age of its answer now; NaN where nobody knows."""

    within: tuple[tuple[str, float], ...]
    """Freshest first."""
    beyond: tuple[tuple[str, float], ...]


def answers(ages: Mapping[str, float], bound: float) -> Answers:
    """The servers within the bound and beyond it."""
    known = sorted((age, server) for server, age in ages.items() if not isnan(age))
    unknown = sorted((server, age) for server, age in ages.items() if isnan(age))
    return Answers(
        within=tuple((server, age) for age, server in known if age <= bound),
        beyond=(*((server, age) for age, server in known if age > bound), *unknown),
    )
