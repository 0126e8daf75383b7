"""Encodes the world for all viewers at once, at most so many times a second."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf
from time import monotonic
from typing import Any, Protocol

import orjson

from snowshed.streams.web.world import SECTIONS, View

__all__ = ["Feed", "Frame", "WorldSource"]


class WorldSource(Protocol):
    """Where the state of the fleet comes from; its members may be used from any thread."""

    @property
    def revision(self) -> int:
        """Grows with every change."""
        ...

    @property
    def connected(self) -> bool:
        """Whether the source still hears of changes."""
        ...

    @property
    def caught_up(self) -> bool:
        """Whether everything that already existed is in the view."""
        ...

    def view(self) -> View:
        """The world as it stands."""
        ...


@dataclass(frozen=True, slots=True)
class Frame:
    """The world at one revision, encoded section by section."""

    mark: tuple[int, bool, bool]
    """Differs between any two frames that a viewer could tell apart."""
    head: Mapping[str, Any]
    sections: Mapping[str, bytes]
    revisions: Mapping[str, int]

    def whole(self) -> bytes:
        """All sections as one JSON object."""
        return self._json(self.sections)

    def since(self, earlier: Frame) -> bytes:
        """One JSON object with the sections that changed since an earlier frame."""
        return self._json(
            {name: text for name, text in self.sections.items() if self.revisions[name] != earlier.revisions[name]}
        )

    def _json(self, sections: Mapping[str, bytes]) -> bytes:
        parts = [orjson.dumps(self.head)[:-1], *(b'"%s":%s' % (name.encode(), text) for name, text in sections.items())]
        return b",".join(parts) + b"}"


class Feed:
    """The newest frame, shared by all viewers.

    Args:
        source: the world.
        clock: the present time, seconds since the Unix epoch.
        period: shortest time in seconds between two frames.
    """

    def __init__(self, source: WorldSource, clock: Callable[[], float], period: float) -> None:
        self._source, self._clock, self._period = source, clock, period
        self._frame: Frame | None = None
        self._due = -inf

    def now(self) -> float:
        """The time frames are stamped with."""
        return self._clock()

    def view(self) -> View:
        """The world as it stands, undecorated."""
        return self._source.view()

    def frame(self) -> Frame:
        """The newest frame; made anew when the world has changed and the last one is old enough."""
        held, now = self._frame, monotonic()
        if held is not None and (now < self._due or self._mark() == held.mark):
            return held
        self._due = now + self._period
        self._frame = self._encode()
        return self._frame

    def current(self) -> bytes:
        """The whole world as JSON, never from an earlier frame."""
        return self._encode().whole()

    def _mark(self) -> tuple[int, bool, bool]:
        return self._source.revision, self._source.connected, self._source.caught_up

    def _encode(self) -> Frame:
        # The mark is read before the view: a change in between then makes one frame too many instead of one too few.
        mark, view = self._mark(), self._source.view()
        table = view.snapshot(self._clock())
        sections = {name: orjson.dumps(table.pop(name)) for name in SECTIONS.values()}
        head = {"connected": mark[1], "caught_up": mark[2], **table}
        return Frame(mark, head, sections, view.revisions)
