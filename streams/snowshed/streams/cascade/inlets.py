"""Where a surge comes in that a callee cannot bear: the services furthest up that are asked more than usual.

What is refused there has cost nobody anything yet. Refused at the callee it has cost all the work of the services
before it, and what others ask of the callee is refused with it (TopFull, SIGCOMM 2024).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Inlet", "accountable", "fitting", "sufficient", "surpassed"]

_EXPLAINED = 0.5
"""Share of what a callee is asked beyond the usual from which on the inlets account for it."""
_NOTABLE = 0.1
"""Share of the usual, and of all growth, from which on an inlet's growth is no chance."""


@dataclass(frozen=True, slots=True)
class Inlet:
    """One service by which more comes in than usual."""

    service: str
    usual: float
    """Requests a second that it usually gets."""
    caused: float
    """How many of the callee's calls a second these usually cause."""
    enforcers: float = 1.0
    """Processes that each take their part of its rate."""


def accountable(found: Sequence[Inlet], demand: Sequence[float], usual: float, comes: float) -> tuple[Inlet, ...]:
    """Those whose surge is a notable part of what the inlets bring; none where that does not account for the trouble.

    While it is cut for the sake of another callee, less of a surge arrives than it would bring: what is refused counts.

    Args:
        found: the inlets.
        demand: what each is asked now.
        usual: calls a second that the callee usually gets.
        comes: how many it gets now.
    """
    grown = [one.caused * max(now / one.usual - 1.0, 0.0) for one, now in zip(found, demand, strict=True)]
    whole = sum(grown)
    if whole < max(_EXPLAINED * (comes - usual), _NOTABLE * usual):
        return ()
    return tuple(one for one, part in zip(found, grown, strict=True) if part > _NOTABLE * whole)


def fitting(found: Sequence[Inlet], multiplier: float, usual_rate: float) -> float:
    """The share of their usual requests with which a callee gets that share of its own; never less than 1.

    The others' calls stay what they are, so that what the callee can bear beyond the usual is all for the inlets.
    """
    return 1.0 + max(multiplier - 1.0, 0.0) * usual_rate / sum(one.caused for one in found)


def sufficient(found: Sequence[Inlet], demand: Sequence[float], usual_rate: float) -> float:
    """The share of its usual calls that a callee gets once the inlets are let all that they are asked."""
    share = max(now / one.usual for one, now in zip(found, demand, strict=True))
    return 1.0 + max(share - 1.0, 0.0) * sum(one.caused for one in found) / usual_rate


def surpassed(found: Sequence[Inlet], least: Sequence[float], share: float) -> bool:
    """Whether any of them is asked for more than this share of the usual, even by the `least` that it is asked."""
    return any(now > share * one.usual for one, now in zip(found, least, strict=True))
