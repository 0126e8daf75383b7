"""Changes of the policy that were applied while workers run: which one holds, and which are refused."""

from __future__ import annotations

from dataclasses import dataclass

from snowshed.schemas.errors import ConfigurationError, SchemaMismatch, SnowshedError
from snowshed.schemas.records import PolicyChange
from snowshed.streams.policy.document import parsed

__all__ = ["AppliedPolicy", "PolicyRefused", "applied", "checked"]


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


def checked(change: PolicyChange) -> PolicyChange:
    """A change whose text this release reads as whoever applied it did.

    Raises:
        SchemaMismatch: it does not, or the text is wrong.
    """
    try:
        found = parsed(change.text).fingerprint
    except ConfigurationError as error:
        raise SchemaMismatch(f"revision {change.revision} of the policy is refused: {error}") from error
    if found != change.fingerprint:
        reason = f"{change.fingerprint} was announced and {found} is read here, by another version of Snowshed"
        raise SchemaMismatch(f"revision {change.revision} of the policy is refused: {reason}")
    return change


def applied(held: AppliedPolicy | None, change: PolicyChange, now: float) -> AppliedPolicy:
    """What is in force after a change; a repeated one changes nothing.

    Raises:
        PolicyRefused: the change is older than what is in force, or another one of the same number.
    """
    if held is not None and change.revision <= held.revision:
        if (change.revision, change.fingerprint) == (held.revision, held.fingerprint):
            return held
        raise PolicyRefused(
            f"revision {change.revision} of the policy ({change.fingerprint}) is not newer than revision "
            f"{held.revision} ({held.fingerprint}), which is in force: two were applied at once, or an old one was put "
            "back; look at `snowshed policy show --applied` and apply yours again"
        )
    return AppliedPolicy(revision=change.revision, fingerprint=change.fingerprint, text=change.text, since=now)
