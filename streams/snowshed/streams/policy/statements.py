"""When a database's statement has changed. The marks are those of `policy.policy`."""

from __future__ import annotations

from dataclasses import dataclass, field

from snowshed.streams.policy.stability import ChangePolicy

__all__ = ["StatementPolicy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementPolicy:
    """How timings by statement become a database's list of statements and their changes."""

    window: float = 10.0
    """Length of a window: long enough for most statements to run in it [P]."""
    top: int = 50
    """Statements that are remembered of one database [P]."""
    half_life: float = 300.0
    """Time after which a statement's time counts half in the order of the list [P]."""
    change: ChangePolicy = field(default_factory=ChangePolicy)
    """Baseline and CUSUM of the logarithms of latency and rate."""
    latency_factor: float = 1.5
    """Latency against the usual, beside the other statements', below which nothing is reported [P]."""
    volume_factor: float = 2.0
    """The same of calls per second [P]."""
    least_share: float = 0.01
    """Share of the database's time below which a change is nobody's business [P]."""
    new_share: float = 0.1
    """Share of the time that a statement never seen before takes in a window to be reported [P]."""
    others: int = 3
    """Other statements that must run for theirs to say what happened to all [P]."""
    sound_windows: int = 3
    """Windows in which a statement runs as usual that end a change [P]."""
    accepted: float = 3600.0
    """Time after which a change passes for the usual [P]."""
