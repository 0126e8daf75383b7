"""The decisions in force, as one process sees them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from snowshed.consumers.decisions.book import DecisionBook, InForce
from snowshed.consumers.decisions.effective import Effective, combine
from snowshed.consumers.following.follower import Delivery, Follower
from snowshed.schemas.codec import Codec
from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.forking import survive_fork
from snowshed.schemas.records import Decision
from snowshed.schemas.topics import Topics

__all__ = ["DecisionView"]

_STALE_AFTER = 10.0
"""Seconds without contact after which the view calls itself stale: the default ttl of a decision."""


class DecisionView:
    """Holds the decisions and answers what they add up to, without locks, waiting or I/O.

    Before the decisions topic has been read to its end there are no decisions; when Kafka is lost they fade as if they
    had expired. All readers may share one view.

    Args:
        current_at: the monotonic time at which everything committed was last known to have been applied.
        clock: monotonic seconds.
        wall: seconds since the epoch, to age decisions that were issued before this process listened.
    """

    def __init__(
        self,
        current_at: Callable[[], float],
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.book = DecisionBook()
        """The present snapshot; another object after every change."""
        self.clock = clock
        self._current_at = current_at
        self._wall = wall
        self._applying = threading.RLock()
        self._follower: Follower | None = None
        survive_fork(self)

    @classmethod
    def connect(
        cls, connection: KafkaConnection, *, prefix: str = "snowshed", codec: Codec | None = None
    ) -> DecisionView:
        """A view that follows the decisions topic in the background; returns at once, whether or not Kafka is there."""
        topic = Topics(prefix).full("decisions")
        view = cls(lambda: follower.last_progress)
        follower = Follower(connection, (topic,), view.deliver, codec=codec, name="decisions")
        view._follower = follower
        follower.start()
        return view

    @property
    def connected(self) -> bool:
        """Whether Kafka answered when it was last asked; a view without Kafka is always connected."""
        return self._follower is None or self._follower.connected

    @property
    def heard_at(self) -> float:
        """The monotonic time up to which everything decided is known to have been heard; -inf before the first time."""
        return self._current_at()

    def wait_caught_up(self, timeout: float | None = None) -> bool:
        """Waits until everything decided so far is known; for tests and start-up checks, never for calls."""
        return self._follower is None or self._follower.wait_caught_up(timeout)

    def close(self) -> None:
        """Stops following."""
        if self._follower is not None:
            self._follower.stop()

    def deliver(self, delivery: Delivery) -> None:
        """Applies a message of the decisions topic.

        Tombstones are passed over: they carry no order, so only a higher decision or its ttl ends a decision.
        """
        if isinstance(delivery.record, Decision):
            self.apply(delivery.record)

    def after_fork(self) -> None:
        """Keeps what is decided, and lets a forked child apply more."""
        self._applying = threading.RLock()

    def apply(self, decision: Decision) -> None:
        """Takes a decision that has arrived now."""
        now = self.clock()
        issued_ago = max(0.0, self._wall() - decision.issued_at)
        # It cannot be older than the last moment at which nothing was unread, however wrong this host's wall clock is.
        unread_for = max(0.0, now - self._current_at())
        with self._applying:
            self.book = self.book.apply(decision, now, min(issued_ago, unread_for))

    def for_scope(self, scope: str, *, caller: str = "") -> Effective:
        """What is in force for calls to a scope; with a caller also what is decided for that edge alone."""
        now, current_at, book = self.clock(), self._current_at(), self.book
        scopes = (scope, f"{caller}>{scope}") if caller else (scope,)
        in_force = [held for name in scopes for held in book.in_force(name, now, current_at)]
        newest = max((order for name in scopes if (order := book.newest(name)) is not None), default=None)
        return combine(scope, in_force, newest=newest, stale=now - current_at > _STALE_AFTER)

    def explain(self, scope: str, *, caller: str = "") -> str:
        """One line a decision in force: what it does, since when, why, and how strongly it still holds."""
        effective = self.for_scope(scope, caller=caller)
        held = [*effective.decisions, *(effective.shadow.decisions if effective.shadow else ())]
        lines = [_explain(one) for one in held] or [f"no decision is in force for {scope}"]
        if effective.stale:
            lines.append("the control plane has not been heard of lately: decisions fade to local brakes")
        return "\n".join(lines)


def _explain(held: InForce) -> str:
    decision = held.decision
    fading = "" if held.strength == 1.0 else f", fading, {held.strength:.0%} left"
    order = f"{decision.epoch}.{decision.seq}"
    return (
        f"{decision.scope} {decision.kind.value} ({decision.mode.value}, {order}, {held.age:.1f} s old{fading}): "
        f"{decision.reason} [{decision.decision_id}]"
    )
