"""What the end of a worker's process means: who is still in the group, and whether to go on."""

from __future__ import annotations

import signal
from collections.abc import Iterable
from dataclasses import dataclass

from snowshed.streams.hosting import Membership

__all__ = ["Death", "hopeless"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """The end of one life of a worker."""

    worker: int
    pid: int
    code: int
    """Exit code, or the number of the signal that ended it, negative."""
    lived: float
    """Seconds from its start to its end."""
    wanted: bool
    """Whether the supervisor stopped it."""
    membership: Membership | None
    """What it told last; None when it never joined."""
    misconfigured: str = ""
    """Why it could not work with its settings; empty for every other end."""

    @property
    def ending(self) -> str:
        """How it ended, in words."""
        if self.code >= 0:
            return f"exit code {self.code}"
        try:
            return signal.Signals(-self.code).name
        except ValueError:  # a real-time signal between the named ones
            return f"signal {-self.code}"

    @property
    def bereft(self) -> Membership | None:
        """The membership that it left behind, which its group would keep until the session ends."""
        return self.membership if self.membership is not None and self.membership.member_id else None


def hopeless(latest: Iterable[Death | None]) -> str | None:
    """Why no worker can ever work: the reason of the first, when all ended by their settings and none ever joined.

    Args:
        latest: each worker's latest death; None for one that has not died or that joined once.
    """
    reasons = [death.misconfigured if death is not None and death.membership is None else "" for death in latest]
    return reasons[0] if reasons and all(reasons) else None
