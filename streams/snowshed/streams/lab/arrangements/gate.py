"""Asks a Guard, as an arrangement wants."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from snowshed.consumers import Guard, Permit

__all__ = ["Gate"]


class Gate:
    """A Guard whose local brakes may be left out.

    Args:
        guard: what is asked.
        local: whether a refusal by a local brake alone counts.
    """

    def __init__(self, guard: Guard, *, local: bool) -> None:
        self.guard = guard
        self._local = local

    def admit(self, operation: str, attempt: int) -> AbstractContextManager[object]:
        """The permit for a call.

        Raises:
            Rejected: it is refused.
        """
        answer = self.guard.try_admit(operation, attempt=attempt)
        if isinstance(answer, Permit):
            return answer
        if self._local or answer.decision_id:
            raise answer.error(self.guard.scope)
        return nullcontext()

    def retry_allowed(self, attempt: int) -> bool:
        """Whether a retry may be scheduled."""
        return self.guard.retry_allowed(attempt) or not (self._local or self.guard.effective.decisions)
