"""Degrade levels above the second, and the way out of a metastable state. The marks are those of `policy.policy`."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ControlPolicy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPolicy:
    """How the breaker moves at level 3, and the steps of the exit programme at level 4."""

    accepts: float = 1.5
    """K of the breaker's P = 1 - K·accepts/requests [P]; the SRE book has 2 where nothing is overloaded [F2]."""
    least_passing: float = 0.05
    """Share of calls that the breaker always lets pass, so that it sees a recovery [P]."""
    admit: float = 0.5
    """Share of the estimated capacity that the programme admits at first, and that the rate is never cut below [P]."""
    admit_cold: float = 1.0
    """The same behind a cold cache: all that the store can do, or the cache never fills again [P]."""
    empty: float = 5.0
    """Seconds that the queue delay must stay within its target before the rate rises [P]."""
    ramp: float = 1.25
    """Growth of the rate a step, up to `near` [P]."""
    ramp_every: float = 5.0
    """Seconds between two such steps [P]."""
    near: float = 0.8
    """Share of the last good rate from which on the rate rises by `creep` [P]."""
    creep: float = 1.02
    """Growth of the rate a second from there on [P]."""
    wait: float = 10.0
    """Seconds without a step after one step back [P]."""
    clean: float = 60.0
    """Clean seconds at the full rate before retries come back [P]."""
