"""What is usual at this hour of the week, relative to other hours: demand has days and nights, weekdays and weekends.

A median that is learned all the time follows the day by itself. One that is frozen, because something is wrong, does
not, and after some hours the morning would look like a surge. So each service keeps the mean demand of every hour of
the week, and a frozen median is moved by the ratio of this hour to the hour in which it was learned.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import floor, isnan, nan

__all__ = ["HOURS", "Season", "factor", "hour_of", "noted"]

HOURS = 168
_HOUR = 3600.0
_EPOCH_HOUR = 72
"""The Unix epoch was a Thursday; hour 0 is Monday, 00:00 UTC."""
_WEIGHT = 0.3
"""Of a new week in the mean of an hour [P]."""
_MOST = 5.0
"""Bound of the factor and of its inverse: a season explains a night, not an outage [P]."""


@dataclass(frozen=True, slots=True)
class Season:
    """Mean demand by hour of the week, UTC, from Monday on; NaN for hours in which nothing was learned."""

    service: str
    hours: tuple[float, ...] = (nan,) * HOURS

    @property
    def key(self) -> str:
        """State key."""
        return f"season/{self.service}"


def hour_of(at: float) -> int:
    """The hour of the week of a time in seconds since the Unix epoch."""
    return (floor(at / _HOUR) + _EPOCH_HOUR) % HOURS


def noted(season: Season, hour: int, mean: float) -> Season:
    """The season with one more mean of an hour."""
    known = season.hours[hour]
    value = mean if isnan(known) else known + _WEIGHT * (mean - known)
    return replace(season, hours=(*season.hours[:hour], value, *season.hours[hour + 1 :]))


def factor(season: Season | None, learned_at: float, now: float) -> float:
    """By how much demand differs now from when its median was last learned; 1 where either hour is unknown."""
    if season is None or hour_of(learned_at) == hour_of(now):
        return 1.0
    then, present = _level(season, learned_at), _level(season, now)
    if not then > 0.0 or not present > 0.0:
        return 1.0
    return min(max(present / then, 1.0 / _MOST), _MOST)


def _level(season: Season, at: float) -> float:
    """The hour's mean, moved towards the neighbour that is nearer; NaN where the hour is unknown."""
    hour, past = hour_of(at), at / _HOUR % 1.0 - 0.5
    neighbour = season.hours[(hour + (1 if past > 0 else -1)) % HOURS]
    here = season.hours[hour]
    return here if isnan(neighbour) else here + abs(past) * (neighbour - here)
