"""The breaker brake: refuses calls with a probability, so that it can open and close by degrees; pure."""

from __future__ import annotations

__all__ = ["trips"]


def trips(p_reject: float, draw: float) -> bool:
    """Whether a call that drew a number in [0, 1) is refused; `p_reject` 1 refuses all, 0 none."""
    return draw < p_reject
