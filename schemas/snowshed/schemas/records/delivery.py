"""What became of a notice on its way to people."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

__all__ = ["DeliveryStatus", "NoticeDelivery"]


class DeliveryStatus(Enum):
    """How a delivery ended."""

    SENT = "sent"
    GIVEN_UP = "given_up"


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeDelivery:
    """That a notice has been delivered on one channel, or that this was given up."""

    notice_id: str
    incident_id: str
    channel: str
    severity: str
    """That of the incident's first notice, by which its later ones are routed."""
    status: DeliveryStatus
    at: float
    reason: str = ""
