"""What waits to go out on one channel: grouped, bounded in its rate, tried again later and later; pure.

Rules:

1. Items of one group that come within the group's wait of its first go out as one message.
2. At most `count` messages go out in any `per` seconds. What has to wait for that is held back, and all of it then goes
   out as one digest.
3. One message at a time is under way. One that fails is tried again, unchanged and after a growing pause, so that its
   receiver can tell a repetition; what comes meanwhile is held back.
4. A message that its receiver refuses, or that could not be delivered for `give_up` seconds, is given up.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from math import inf, isnan

from snowshed.consumers.notify.message import Delivery, NoticeItem, NoticeMessage, Outcome

__all__ = ["Limits", "Outbox", "Settled"]

_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 60.0
_LONGEST_REQUESTED = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How a channel is spared."""

    group_by: tuple[str, ...] = ("domain",)
    """Fields of an item that are the same within a group."""
    group_wait: float = 0.0
    """Seconds that a message waits for more of its group."""
    count: int = 20
    per: float = 60.0
    give_up: float = 3_600.0


@dataclass(frozen=True, slots=True)
class Settled:
    """Items whose delivery has ended."""

    items: tuple[NoticeItem, ...]
    reason: str = ""
    """Why they were given up; empty for those that were sent."""


@dataclass(slots=True)
class _Flight:
    message: NoticeMessage
    first_at: float
    attempts: int = 0
    next_at: float = -inf
    under_way: bool = False


@dataclass(slots=True)
class Outbox:
    """The items of one channel from their arrival until they are sent or given up."""

    limits: Limits
    _waiting: list[tuple[float, NoticeItem]] = field(default_factory=list[tuple[float, NoticeItem]])
    _held: bool = False
    _sent: deque[float] = field(default_factory=deque[float])
    _flight: _Flight | None = None

    @property
    def idle(self) -> bool:
        """Whether nothing is left to be sent."""
        return self._flight is None and not self._waiting

    @property
    def waiting(self) -> int:
        """Items that have not been sent."""
        return len(self._waiting) + (len(self._flight.message.items) if self._flight else 0)

    def add(self, item: NoticeItem, now: float) -> None:
        """Take an item."""
        self._waiting.append((now, item))

    def due(self, now: float) -> NoticeMessage | None:
        """The message to send now, which `settle` then has to be told of; None where there is none."""
        if self._flight is None:
            message = self._composed(now)
            if message is None:
                return None
            self._flight = _Flight(message, now)
        flight = self._flight
        if flight.under_way or now < flight.next_at:
            return None
        flight.under_way = True
        flight.attempts += 1
        return flight.message

    def settle(self, delivery: Delivery, now: float) -> Settled | None:
        """The message under way has come to this; the items whose delivery has thereby ended, if any."""
        flight = self._flight
        if flight is None:
            return None
        flight.under_way = False
        if delivery.outcome is Outcome.SENT:
            self._flight = None
            self._sent.append(now)
            return Settled(flight.message.items)
        if delivery.outcome is Outcome.NEVER:
            self._flight = None
            return Settled(flight.message.items, delivery.reason)
        if now - flight.first_at >= self.limits.give_up:
            self._flight = None
            tried = f"{flight.attempts} attempts in {now - flight.first_at:.0f} s"
            return Settled(flight.message.items, f"{delivery.reason} ({tried})")
        flight.next_at = now + _pause(flight, delivery)
        self._held = True
        return None

    def forget(self, gone: Callable[[NoticeItem], bool]) -> None:
        """Drop what others deliver from now on; a message that is just being sent is not called back."""
        self._waiting = [(at, item) for at, item in self._waiting if not gone(item)]
        flight = self._flight
        if flight is not None and not flight.under_way and any(map(gone, flight.message.items)):
            self._waiting[:0] = [(flight.first_at, item) for item in flight.message.items if not gone(item)]
            self._flight = None

    def _composed(self, now: float) -> NoticeMessage | None:
        if not self._waiting:
            return None
        while self._sent and self._sent[0] <= now - self.limits.per:
            self._sent.popleft()
        if len(self._sent) >= self.limits.count:
            self._held = True
            return None
        if self._held:
            return self._taken([item for _, item in self._waiting], held=len(self._waiting) > 1)
        first_at, first = self._waiting[0]
        if now < first_at + self.limits.group_wait:
            return None
        if not self.limits.group_wait:
            return self._taken([first], held=False)
        group = self._group(first)
        return self._taken([item for _, item in self._waiting if self._group(item) == group], held=False)

    def _taken(self, items: Iterable[NoticeItem], *, held: bool) -> NoticeMessage:
        message = NoticeMessage(items=tuple(items), held=held)
        taken = {item.notice_id for item in message.items}
        self._waiting = [(at, item) for at, item in self._waiting if item.notice_id not in taken]
        self._held = False
        return message

    def _group(self, item: NoticeItem) -> tuple[str, ...]:
        return tuple(str(getattr(item, name)) for name in self.limits.group_by)


def _pause(flight: _Flight, delivery: Delivery) -> float:
    """Twice as long each time, spread by a tenth either way so that channels do not return in step."""
    if not isnan(delivery.retry_after):
        return min(max(delivery.retry_after, _FIRST_PAUSE), _LONGEST_REQUESTED)
    pause = min(_FIRST_PAUSE * 2.0 ** min(flight.attempts - 1, 10), _LONGEST_PAUSE)
    digest = blake2b(f"{flight.message.key}/{flight.attempts}".encode(), digest_size=2).digest()
    return pause * (0.9 + 0.2 * int.from_bytes(digest, "big") / 65_535)
