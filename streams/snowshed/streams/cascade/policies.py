"""The policy that level 2 judges by: the worker's own until a change of it stands on the observations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from snowshed.schemas.errors import SnowshedError
from snowshed.schemas.records import PolicyChange
from snowshed.streams.cascade.observations import Observation
from snowshed.streams.policy import Policy, salvaged

__all__ = ["KEY", "AppliedPolicy", "PolicyRefused", "applied", "policy_of", "stretches"]

KEY = "policy"
"""State key."""


class PolicyRefused(SnowshedError):
    """A change of the policy that is not newer than the one in force; apply the policy again to give it a number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedPolicy:
    """The newest change."""

    revision: int
    fingerprint: str
    text: str
    since: float
    """When it took effect."""


def policy_of(state: Mapping[str, object], start: Policy) -> Policy:
    """The policy in force, where `start` is the worker's own."""
    held = state.get(KEY)
    return salvaged(held.text) if isinstance(held, AppliedPolicy) else start


def stretches(records: Sequence[Observation]) -> Iterator[tuple[PolicyChange | None, list[Observation]]]:
    """The observations in their order, cut before each change of the policy; with each stretch the change before it."""
    change: PolicyChange | None = None
    run: list[Observation] = []
    for observation in records:
        if isinstance(observation.record, PolicyChange):
            yield change, run
            change, run = observation.record, []
        else:
            run.append(observation)
    yield change, run


def applied(held: object, change: PolicyChange, now: float) -> AppliedPolicy:
    """What is in force after a change; a repeated one changes nothing.

    Raises:
        PolicyRefused: the change is older than what is in force, or another one of the same number.
    """
    if isinstance(held, AppliedPolicy) and change.revision <= held.revision:
        if (change.revision, change.fingerprint) == (held.revision, held.fingerprint):
            return held
        raise PolicyRefused(
            f"revision {change.revision} of the policy ({change.fingerprint}) is not newer than revision "
            f"{held.revision} ({held.fingerprint}), which is in force: two were applied at once, or an old one was put "
            "back; look at `snowshed policy show --applied` and apply yours again"
        )
    return AppliedPolicy(revision=change.revision, fingerprint=change.fingerprint, text=change.text, since=now)
