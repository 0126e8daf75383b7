"""Refuses options that no brake could work with, before the first call meets them; pure."""

from __future__ import annotations

from math import inf

from snowshed.schemas.errors import ConfigurationError

__all__ = ["check"]


def check(options: object, *, low: float = 0.0, high: float = inf, above: bool = False, **values: float | None) -> None:
    """Check that values lie between two bounds; None is left out.

    Args:
        options: whose values they are, for the message.
        low: the least that is accepted, or what must be exceeded.
        high: the most that is accepted.
        above: whether `low` itself is refused.
        values: by name.

    Raises:
        ConfigurationError: one does not, or is no number.
    """
    for name, value in values.items():
        if value is None or ((value > low if above else value >= low) and value <= high):
            continue
        least = f"more than {low:g}" if above else f"{low:g} or more"
        most = "" if high == inf else f" and at most {high:g}"
        raise ConfigurationError(f"{type(options).__name__}: {name} is {value!r}; give {least}{most}")
