"""What level 1 concludes about the statements of a database."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["StatementHealth"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementHealth:
    """The statements that cost a database most, and those that have changed, by column.

    Row `i` is the statement with fingerprint `statement[i]`; rows stand in order of the time they took lately. Figures
    are of the last `window` seconds; those of a statement that did not run in them are NaN, its rate and share 0.
    """

    domain: str
    callee: str
    observed_at: float
    detector_lag: float
    window: float
    calls: float
    """Calls of all statements in the window."""
    seconds: float
    """Time of all statements in the window, also of those that have no row."""
    statement: tuple[str, ...]
    operation: tuple[str, ...]
    """What its reporter calls it, such as SELECT."""
    rate: tuple[float, ...]
    errors: tuple[float, ...]
    share: tuple[float, ...]
    """Of the time of all statements."""
    usual_share: tuple[float, ...]
    mean: tuple[float, ...]
    p90: tuple[float, ...]
    p99: tuple[float, ...]
    change: tuple[str, ...]
    """`latency`, `volume`, `new`, or empty."""
    onset: tuple[float, ...]
    """When the change began; NaN without one, as are the two that follow."""
    before: tuple[float, ...]
    """Usual latency in seconds, calls per second, or nothing, by the kind of the change."""
    after: tuple[float, ...]
    """Newest latency, calls per second, or share of the time."""
