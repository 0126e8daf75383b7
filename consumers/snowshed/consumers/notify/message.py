"""What is said to people, and what became of saying it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from hashlib import blake2b
from math import nan
from typing import Protocol

__all__ = ["Channel", "Delivery", "NoticeItem", "NoticeMessage", "Outcome", "Phase"]


class Phase(Enum):
    """Where in the life of an incident a notice stands."""

    OPENED = "opened"
    CHANGED = "changed"
    CLOSED = "closed"
    ACTION = "action"
    """Something is done about it, or somebody is asked to let it be done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeItem:
    """One notice with what is known of its incident."""

    notice_id: str
    incident_id: str
    domain: str
    kind: str
    """Kind of the incident; empty while nothing is known of it."""
    subject: str
    concerned: tuple[str, ...]
    """The subject, what it consists of, and the members."""
    severity: str
    """That of the incident's first notice; stays the same until it is closed."""
    phase: Phase
    title: str
    text: str
    """What happened, in a sentence or two."""
    explanation: str
    """What proves it, what was decided and what ends it."""
    issued_at: float
    opened_at: float
    closed_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeMessage:
    """What goes out on a channel at once."""

    items: tuple[NoticeItem, ...]
    held: bool = False
    """Whether it is a digest of what the rate limit held back."""

    @property
    def key(self) -> str:
        """The same for the same items, after a restart too: receivers tell a repetition by it."""
        if len(self.items) == 1:
            return self.items[0].notice_id
        return blake2b("\0".join(item.notice_id for item in self.items).encode(), digest_size=16).hexdigest()

    @property
    def title(self) -> str:
        """One line."""
        first = self.items[0]
        if len(self.items) == 1:
            return f"[{first.severity}] {first.title}"
        what = "held back" if self.held else "together"
        return f"[{self.severity}] {len(self.items)} notices {what}, first: {first.title}"

    @property
    def severity(self) -> str:
        """The first item's where they differ and none is critical."""
        severities = [item.severity for item in self.items]
        return "critical" if "critical" in severities else severities[0]


class Outcome(Enum):
    """How an attempt to deliver ended."""

    SENT = "sent"
    AGAIN = "again"
    """It failed, and a later attempt may succeed."""
    NEVER = "never"
    """The receiver refuses it for good."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of one attempt."""

    outcome: Outcome
    reason: str = ""
    """Why it was not sent; holds no secret."""
    retry_after: float = nan
    """Seconds that the receiver asks to be left alone; NaN where it does not."""


class Channel(Protocol):
    """One way to reach people; used by one thread at a time."""

    def deliver(self, message: NoticeMessage, now: float) -> Delivery:
        """Send a message and say how that ended; does not raise for what the receiver does."""
        ...
