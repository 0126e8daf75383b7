"""How a batch that cannot be folded is narrowed down to the one record that breaks it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MAX_ATTEMPTS", "Retry"]

MAX_ATTEMPTS = 3
"""Attempts on the whole batch before it is halved."""


@dataclass(frozen=True, slots=True)
class Retry:
    """How many of the waiting messages to try next.

    A batch is tried `MAX_ATTEMPTS` times whole, then by halves from its front, until the record that fails stands
    alone. That one is tried `MAX_ATTEMPTS` times by itself before it goes to the dead letters, so that no innocent
    record is buried for a failure that would have passed. Whatever commits resets the search.
    """

    size: int
    attempts: int = 0

    def failed(self) -> Retry:
        """After another failure: the same size again, or half of it once the attempts are used up."""
        if self.attempts + 1 < MAX_ATTEMPTS:
            return Retry(self.size, self.attempts + 1)
        half = max(1, self.size // 2)
        return Retry(half, 0 if half == 1 else MAX_ATTEMPTS - 1)

    @property
    def isolated(self) -> bool:
        """Whether a further failure means that the first waiting record is the poison."""
        return self.size == 1 and self.attempts >= MAX_ATTEMPTS - 1
