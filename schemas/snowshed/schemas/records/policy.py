"""A change of the policy, in order with what it judges."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PolicyChange"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyChange:
    """A policy that is judged by from here on; it stands on every partition of every input."""

    domain: str
    """The policy's default domain."""
    revision: int
    """Number of the change; one that is not higher than the one in force is refused."""
    fingerprint: str
    """Twelve hexadecimal digits that differ where two policies judge differently."""
    text: str
    """The whole policy file, TOML."""
    changed_at: float
    author: str = ""
    """Who applied it."""
    reason: str = ""
    """Why, in their own words."""
