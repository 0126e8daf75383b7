"""Clock offsets measured by the log itself.

For a node n, m = min over 5 min of (append time − send time) = (broker clock − node clock) + δ, where δ ≥ 0 is the
smallest one-way delay in that time and is bounded by the node's smallest produce round trip R. A node's time t was
therefore between t + m − R and t + m on the broker's clock, and its clock is proved to be wrong where t is not among
them. All markers of a dataset share a partition, so that the offsets of its nodes are against one and the same broker.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, inf, isnan, nan
from typing import NamedTuple

from snowshed.streams.policy import LagPolicy

__all__ = ["Clock", "ClockSlot", "Offset", "ahead", "observe", "offset", "step"]

_SLOTS = 10
_CERTAIN = 1.0
"""Seconds by which an offset differs for no late sample, mostly."""


@dataclass(frozen=True, slots=True)
class ClockSlot:
    """The smallest delay of one tenth of the window."""

    number: int
    minimum: float
    skew: float
    """Wall clock minus monotonic clock when the slot began."""
    samples: int


@dataclass(frozen=True, slots=True)
class Clock:
    """A windowed minimum in constant memory."""

    node: str
    slots: tuple[ClockSlot, ...]
    round_trip: float
    updated: float
    """Append time of the newest sample."""


class Offset(NamedTuple):
    """Broker clock minus node clock: at most `upper`, and at least `upper − error`."""

    upper: float
    error: float


def observe(
    clock: Clock | None,
    node: str,
    *,
    sent_at: float,
    monotonic: float,
    round_trip: float,
    appended: float,
    policy: LagPolicy,
) -> Clock:
    """The clock after one more sample; what was measured before a step of the wall clock is dropped."""
    number = floor(appended / (policy.offset_window / _SLOTS))
    skew = sent_at - monotonic
    kept = [
        slot
        for slot in (clock.slots if clock else ())
        if slot.number > number - _SLOTS and abs(slot.skew - skew) <= policy.drift
    ]
    delay = appended - sent_at
    if kept and kept[-1].number == number:
        last = kept.pop()
        slot = ClockSlot(number, min(last.minimum, delay), last.skew, last.samples + 1)
    else:
        slot = ClockSlot(number, delay, skew, 1)
    return Clock(node, (*kept, slot), round_trip if 0.0 <= round_trip < inf else nan, appended)


def offset(clock: Clock, policy: LagPolicy) -> Offset:
    """The offset and its error.

    The node's round trip may be older than this window, so until the window has seen `settled_samples` delays the
    error is at least the bound for an unmeasured node.
    """
    error = policy.unknown_round_trip if isnan(clock.round_trip) else clock.round_trip
    if sum(slot.samples for slot in clock.slots) < policy.settled_samples:
        error = max(error, policy.unknown_round_trip)
    return Offset(min(slot.minimum for slot in clock.slots), error)


def ahead(found: Offset) -> float:
    """Seconds by which the node's clock is proved to be ahead of the broker's; negative where it is behind, else 0."""
    return -found.upper if found.upper < 0.0 else min(found.error - found.upper, 0.0)


def step(before: Clock | None, after: Clock, policy: LagPolicy) -> float:
    """Seconds by which the node's wall clock was set between the samples of these two; 0 where it ran on.

    Wall clock against monotonic clock tells a step exactly. Where the offset to the broker does not agree, the other
    clock has changed: the host stood still, or it is another one. Then the offset alone tells, if it differs by enough.
    """
    if before is None or sum(slot.samples for slot in after.slots) > 1:
        return 0.0
    jump = after.slots[-1].skew - before.slots[-1].skew
    moved = offset(before, policy).upper - offset(after, policy).upper
    if abs(jump - moved) <= _CERTAIN:
        return jump if abs(jump) > policy.drift else 0.0
    return moved if abs(moved) > _CERTAIN else 0.0
