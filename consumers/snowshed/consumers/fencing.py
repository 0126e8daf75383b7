"""Asks, before a write, whether this process may still write to a replicated dataset.

A fence is a decision: the store proved that a server is cut off from its majority. It holds until a later decision ends
it, whatever becomes of time and of Kafka. A process that hears no decisions writes on, for losing the log proves
nothing about the store. Only with a lease it stops: so long after it was last known to have heard everything, on its
own monotonic clock. Whoever promotes another server must then wait, from the fence on, for the lease, the drift of that
clock and the longest write under way; and the store must refuse writes whose token is older than the newest it saw,
because a write that was let through may still be on its way.
"""

from __future__ import annotations

from dataclasses import dataclass

from snowshed.consumers.decisions.view import DecisionView
from snowshed.schemas.errors import ConfigurationError, Rejected
from snowshed.schemas.records import ConsistencyMode, Decision, DecisionKind

__all__ = ["WriteFence", "WriteStanding"]

_RETRY_AFTER = 1.0
"""Seconds: a fence ends by proof, which comes with the store's reports."""


@dataclass(frozen=True, slots=True)
class WriteStanding:
    """Whether a write may be made now."""

    allowed: bool
    epoch: int
    """Goes with every write to a store that takes a token: it grows with each fence; 0 before any decision."""
    reason: str = ""
    """Why not; empty where it may."""
    decision_id: str = ""
    """The fence; empty where a lease ran out, or where nothing forbids the write."""


class WriteFence:
    """What a writer asks; safe to share between threads and tasks, and never waits.

    Args:
        dataset: the scope of the decisions to obey.
        view: where decisions come from.
        lease: seconds after which a process that has not heard of decisions stops writing; None to write on. It is for
            stores that refuse older tokens, and the same as `lease` in the policy.

    Raises:
        ConfigurationError: the lease is not positive.
    """

    def __init__(self, dataset: str, view: DecisionView, *, lease: float | None = None) -> None:
        if lease is not None and not lease > 0.0:
            raise ConfigurationError(f"the lease of {dataset} must be positive, not {lease!r}")
        self._dataset = dataset
        self._view = view
        self._lease = lease

    def check(self, server: str = "") -> WriteStanding:
        """Whether a write to this server of the dataset may be made; without a name, to whichever server takes writes.

        Without a name a fence of any server forbids the write: nobody knows where it would go.
        """
        # First the clock and then the decisions: whatever was known at that time is then in them.
        unheard = self._view.clock() - self._view.heard_at
        effective = self._view.for_scope(self._dataset)
        epoch = 0 if effective.newest is None else effective.newest[0]
        fence = next((one.decision for one in effective.decisions if _fences(one.decision, server)), None)
        if fence is not None:
            return WriteStanding(False, epoch, f"fenced in epoch {epoch}: {fence.reason}", fence.decision_id)
        if self._lease is not None and not unheard < self._lease:
            return WriteStanding(False, epoch, f"the lease of {self._lease:g} s ran out: no decisions are heard")
        return WriteStanding(True, epoch)

    def require(self, server: str = "") -> int:
        """The token for a write to this server.

        Raises:
            Rejected: the write must not be made; it may be tried again later.
        """
        standing = self.check(server)
        if standing.allowed:
            return standing.epoch
        reason = f"no writes, {standing.reason}"
        raise Rejected(self._dataset, reason, retry_after=_RETRY_AFTER, decision_id=standing.decision_id)


def _fences(decision: Decision, server: str) -> bool:
    """Whether a decision forbids writes to a server; empty for whichever takes them."""
    decided = decision.consistency
    if decision.kind is not DecisionKind.CONSISTENCY or decided is None or decided.mode is not ConsistencyMode.FENCE:
        return False
    return not decided.avoid or not server or server in decided.avoid
