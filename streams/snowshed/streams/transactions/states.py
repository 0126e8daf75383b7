"""The life of a lane as a table.

A lane is one assigned input partition with its state, its offset guard and its own transactional producer.

1. `claimed`: the group gave us the partition.
2. `fencing`: `init_transactions()` settles or aborts the predecessor's transaction and shuts the predecessor out.
3. `restoring`: only now may committed offsets be asked for; asking earlier waits for the dead worker's transaction.
4. `open`: batches are folded and committed.
5. `draining`: the group takes the partition back; the running transaction ends, nothing new begins.
6. `released`: everything is closed. `failed`: the process must leave.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

__all__ = ["TRANSITIONS", "LaneEvent", "LaneState", "next_state"]


class LaneState(Enum):
    """Where a lane stands in its life."""

    CLAIMED = "claimed"
    FENCING = "fencing"
    RESTORING = "restoring"
    OPEN = "open"
    DRAINING = "draining"
    RELEASED = "released"
    FAILED = "failed"


class LaneEvent(Enum):
    """What can happen to a lane."""

    STARTED = "started"
    FENCED_PREDECESSOR = "fenced_predecessor"
    RESTORED = "restored"
    REVOKED = "revoked"
    LOST = "lost"
    DRAINED = "drained"
    FATAL = "fatal"


TRANSITIONS: Mapping[LaneState, Mapping[LaneEvent, LaneState]] = {
    LaneState.CLAIMED: {
        LaneEvent.STARTED: LaneState.FENCING,
        LaneEvent.REVOKED: LaneState.DRAINING,
        LaneEvent.LOST: LaneState.DRAINING,
        LaneEvent.FATAL: LaneState.FAILED,
    },
    LaneState.FENCING: {
        LaneEvent.FENCED_PREDECESSOR: LaneState.RESTORING,
        LaneEvent.REVOKED: LaneState.DRAINING,
        LaneEvent.LOST: LaneState.DRAINING,
        LaneEvent.FATAL: LaneState.FAILED,
    },
    LaneState.RESTORING: {
        LaneEvent.RESTORED: LaneState.OPEN,
        LaneEvent.REVOKED: LaneState.DRAINING,
        LaneEvent.LOST: LaneState.DRAINING,
        LaneEvent.FATAL: LaneState.FAILED,
    },
    LaneState.OPEN: {
        LaneEvent.REVOKED: LaneState.DRAINING,
        LaneEvent.LOST: LaneState.DRAINING,
        LaneEvent.FATAL: LaneState.FAILED,
    },
    LaneState.DRAINING: {
        LaneEvent.LOST: LaneState.DRAINING,
        LaneEvent.REVOKED: LaneState.DRAINING,
        LaneEvent.DRAINED: LaneState.RELEASED,
        LaneEvent.FATAL: LaneState.FAILED,
    },
    LaneState.RELEASED: {},
    LaneState.FAILED: {},
}
"""What each event does in each state; an event that a state does not list is a programming error."""


def next_state(state: LaneState, event: LaneEvent) -> LaneState:
    """The state after `event`.

    Raises:
        KeyError: the table forbids this event in this state.
    """
    return TRANSITIONS[state][event]
