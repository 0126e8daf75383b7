"""Lets a share of calls pass, evenly and without random numbers; pure."""

from __future__ import annotations

__all__ = ["Dither"]


class Dither:
    """Of any n calls in a row `share`·n pass, give or take one.

    A call that passes here and is refused further on is not `passed`, and so costs the next one nothing.
    """

    __slots__ = ("_credit", "share")

    def __init__(self, share: float = 1.0) -> None:
        self.share = share
        """0 lets nothing pass, 1 everything."""
        self._credit = 0.0

    def refuses(self) -> bool:
        """Whether the next call is to be refused; a refusal counts at once."""
        credit = self._credit + self.share
        if credit >= 1.0 - 1e-9:
            return False
        self._credit = credit
        return True

    def passed(self) -> None:
        """The call that was not refused has been admitted."""
        self._credit += self.share - 1.0
