"""What was worked out in the step before, given again while all that it rests on is the same.

Most of a domain does not change from one step to the next, and judging a service in trouble costs a hundred times what
it costs to see that nothing about it is new. A view, once made, never changes: so what rests on the same objects comes
out the same, and comparing identities is enough. What rests on the time as well says from when to when it holds.

This is a cache and no state: a step judges the same with an empty one.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from operator import is_
from typing import Any, Generic, NamedTuple, TypeVar

__all__ = ["Lasting", "Memory"]

V = TypeVar("V")


class Lasting(NamedTuple, Generic[V]):
    """A value that holds until a time."""

    value: V
    until: float = inf


class _Known(NamedTuple):
    made_of: tuple[object, ...]
    since: float
    until: float
    value: Any


class Memory:
    """What has been worked out; what is not asked for between two turns is forgotten at the second."""

    def __init__(self) -> None:
        self._before: dict[tuple[str, str], _Known] = {}
        self._asked: dict[tuple[str, str], _Known] = {}

    def turn(self) -> None:
        """End a step, or whatever the values outlast once."""
        self._before, self._asked = self._asked, {}

    def recalled(
        self, what: str, name: str, made_of: tuple[object, ...], now: float, work: Callable[[], Lasting[V]]
    ) -> V:
        """The value as it was worked out before, if that was from the same objects and still holds; else anew.

        Args:
            what: kind of the value.
            name: of what it is, among those of its kind.
            made_of: all that it rests on besides its name and the time; strings do not belong here, for equal ones
                need not be the same object.
            now: the step's time.
            work: works it out.
        """
        key = (what, name)
        known = self._asked.get(key) or self._before.get(key)
        if known is None or not (known.since <= now < known.until and _same(known.made_of, made_of)):
            value, until = work()
            known = _Known(made_of, now, until, value)
        self._asked[key] = known
        return known.value  # type: ignore[no-any-return]  # of the kind that its name says


def _same(one: tuple[object, ...], other: tuple[object, ...]) -> bool:
    return len(one) == len(other) and all(map(is_, one, other))
