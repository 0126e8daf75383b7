"""Whether a call that waited for another's may do better on its own; pure."""

from __future__ import annotations

from math import inf

from snowshed.schemas.errors import Rejected
from snowshed.schemas.propagation import CallContext

__all__ = ["goes_again"]


def goes_again(error: BaseException, own: CallContext, leader: CallContext) -> bool:
    """Whether `error` may be due to the leader's request alone: less critical, with less time, or itself a retry.

    Without this a sheddable request that is refused would take everybody down who came after it.
    """
    if not isinstance(error, Rejected | TimeoutError):
        return False
    more_critical = own.criticality < leader.criticality
    more_time = _deadline(own) > _deadline(leader)
    return more_critical or more_time or own.attempt < leader.attempt


def _deadline(context: CallContext) -> float:
    return inf if context.deadline is None else context.deadline
