"""Degrade levels above the second, and the way out of a metastable state. The marks are those of `policy.policy`."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ControlPolicy", "FeaturePolicy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeaturePolicy:
    """A feature that can be switched off to spare the service that it needs."""

    service: str = ""
    """The service whose degrade level decides."""
    level: int = 2
    """The level from which on the feature is off, 1 to 4."""
    owner: str = ""
    """Who answers for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPolicy:
    """How the breaker moves at level 3, and the steps of the exit programme at level 4."""

    easing: float = 0.1
    """Share by which the worst signal falls in a second where the trouble eases by itself [P]."""
    worth: float = 10.0
    """Seconds of full goodput that may be lost before first attempts are shed from a callee of which only the usual is
    asked: what shedding half of the calls costs in the clean time of level 2 [P]."""
    amplified: float = 1.5
    """Attempts a first attempt from which on a retry budget is taken not to be in force yet [P]."""
    timeout: float = 1.5
    """Times the usual 99th percentile, after which a call to a service that drops expired calls is given up [P]."""
    tail: float = 2.0
    """The 99th percentile over the 90th of exponential service times, for only the 90th is learned [P]."""
    relapse: float = 300.0
    """Longest clean time of a level that is doubled each time that the trouble comes back [P]."""
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
    """Share of the last good rate from which on the rate rises by `creep`, and share of the capacity that the rate is
    never cut below while callers still get their answers [P]."""
    bears: float = 0.95
    """Share of its capacity that a callee is let of a surge while the queue that shows it is short [P]."""
    drain: float = 2.0
    """Seconds in which the rest of its capacity empties that queue where it is longer [P]."""
    creep: float = 1.02
    """Growth of the rate a second from there on [P]."""
    wait: float = 10.0
    """Seconds without a step after one step back [P]."""
    clean: float = 60.0
    """Clean seconds at the full rate before retries come back [P]."""
