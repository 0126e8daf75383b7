"""Whether the budgets of level 1 have had their chance, so that first attempts are to be shed as well.

They get as long as there is hope. Where more is asked than can be borne no budget helps, and `escalate` is enough for
the retries that were under way. Where only the usual is asked, capacity is missing and may come back: shedding drops
whole classes for all of a level's clean time, so it is worth while once about as much has been lost without it. And
where shedding has held the trouble down and was given up, its return is proof enough. Whatever the reason, nothing
more is done while the trouble eases.
"""

from __future__ import annotations

from dataclasses import dataclass

from snowshed.streams.policy import ControlPolicy, OverloadPolicy

__all__ = ["Trial", "failed", "starved", "tried"]

_LONGEST = 2.0
"""Seconds that one window can speak for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """How the trouble has gone so far."""

    at: float
    """Observation time of the newest window."""
    excess: float
    """The worst signal over its limit there."""
    eases: bool = False
    """Whether it is falling by itself."""
    lost: float = 0.0
    """Seconds of full goodput that are missing since the level was entered."""
    relapses: int = 0
    """Times that the trouble came back when shedding was given up."""
    shed: bool = False
    """Whether shedding has been given up since."""


def tried(held: Trial, at: float, excess: float, *, drains: bool, missing: float, policy: ControlPolicy) -> Trial:
    """The trial after one more window; the same while there is none.

    Args:
        held: the trial so far.
        at: the window's observation time.
        excess: its worst signal over its limit.
        drains: whether more is finished than comes in: delays show that only when those who wait are served.
        missing: first attempts whose answers are missing because others came too late, as a share of them.
        policy: how fast is easing.
    """
    seconds = min(at - held.at, _LONGEST)
    if seconds <= 0.0:
        return held
    return Trial(
        at=at,
        excess=excess,
        eases=drains or excess < held.excess * (1.0 - min(policy.easing * seconds, 1.0)),
        lost=held.lost + seconds * missing,
        relapses=held.relapses,
        shed=held.shed,
    )


def failed(
    trial: Trial, held: float, *, pressed: bool, refuses: bool, policy: OverloadPolicy, control: ControlPolicy
) -> bool:
    """Whether budgets alone do not help.

    Args:
        trial: how it has gone.
        held: seconds since the level was entered.
        pressed: whether more is asked than can be borne.
        refuses: whether the callee refuses so many calls that it says so itself.
        policy: how long retries under way may take.
        control: what shedding costs.
    """
    if trial.eases:
        return False
    if pressed and refuses:
        return True
    return held >= policy.escalate and (pressed or trial.shed or trial.lost >= control.worth)


def starved(trial: Trial, level: int, control: ControlPolicy) -> bool:
    """Whether shedding by a rate has not helped either: what is left still gets no answers in time."""
    return level >= 2 and not trial.eases and trial.lost >= control.worth
