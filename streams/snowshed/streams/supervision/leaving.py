"""What a broker's answer means to someone who takes a dead member out of its group."""

# aiokafka ships no type information.
# mypy: disable-error-code="import-untyped"
# pyright: reportMissingTypeStubs=false

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from aiokafka.errors import for_code

__all__ = ["Departure", "Outcome", "outcome_of"]


class Outcome(Enum):
    """What became of the wish to leave."""

    LEFT = "left"
    GONE = "gone"
    """The group does not know the member: it was removed before."""
    REFUSED = "refused"
    UNANSWERED = "unanswered"
    """No coordinator was found or it could not serve yet; asking again may help."""


@dataclass(frozen=True, slots=True)
class Departure:
    """How the attempt to take a member out of its group ended."""

    outcome: Outcome
    reason: str = ""


_OUTCOMES = MappingProxyType(
    {
        0: Outcome.LEFT,
        14: Outcome.UNANSWERED,  # COORDINATOR_LOAD_IN_PROGRESS
        15: Outcome.UNANSWERED,  # COORDINATOR_NOT_AVAILABLE
        16: Outcome.UNANSWERED,  # NOT_COORDINATOR
        25: Outcome.GONE,  # UNKNOWN_MEMBER_ID
        69: Outcome.GONE,  # GROUP_ID_NOT_FOUND
    }
)


def outcome_of(code: int) -> Departure:
    """What Kafka's error code in the answer to a leaving member means."""
    outcome = _OUTCOMES.get(code, Outcome.REFUSED)
    return Departure(outcome, "" if outcome is Outcome.LEFT else f"{for_code(code).__name__} ({code})")
