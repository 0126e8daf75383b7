"""Which notice goes to which channels; pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from snowshed.consumers.notify.message import NoticeItem

__all__ = ["Route", "channels_for"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Notices that meet all its conditions go to its channels; an empty condition is met by all.

    An incident of which nothing is known yet meets every condition on its kind and service: it is told to too many
    rather than to nobody.
    """

    channels: tuple[str, ...]
    severities: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()
    services: tuple[str, ...] = ()
    """Patterns as in shells, of which one must fit the subject, a part of it, or a member."""
    phases: frozenset[str] = frozenset()
    last: bool = False
    """Whether routes after it are not looked at for what it takes."""

    def takes(self, item: NoticeItem) -> bool:
        """Whether the item meets the conditions."""
        return (
            (not self.severities or item.severity in self.severities)
            and (not self.kinds or not item.kind or item.kind in self.kinds)
            and (not self.phases or item.phase.value in self.phases)
            and (not self.services or not item.concerned or _fits(self.services, item.concerned))
        )


def channels_for(routes: Sequence[Route], item: NoticeItem) -> tuple[str, ...]:
    """The channels that the item goes to, each once, in the order of the routes."""
    found: dict[str, None] = {}
    for route in routes:
        if route.takes(item):
            found.update(dict.fromkeys(route.channels))
            if route.last:
                break
    return tuple(found)


def _fits(patterns: Iterable[str], names: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns for name in names)
