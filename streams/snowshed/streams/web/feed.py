"""Encodes the world for all viewers at once, at most so many times a second."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
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
    taken_at: float
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

    def now(self) -> float:
        """The time frames are stamped with."""
        return self._clock()

    def view(self) -> View:
        """The world as it stands, undecorated."""
        return self._source.view()

    def frame(self) -> Frame:
        """The newest frame; made anew when the world has changed and the last one is old enough."""
        now, held = self._clock(), self._frame
        mark = (self._source.revision, self._source.connected, self._source.caught_up)
        if held is None or (mark != held.mark and not 0 <= now - held.taken_at < self._period):
            self._frame = held = self._encode(mark, now)
        return held

    def current(self) -> bytes:
        """The whole world as JSON, never from an earlier frame."""
        mark = (self._source.revision, self._source.connected, self._source.caught_up)
        return self._encode(mark, self._clock()).whole()

    def _encode(self, mark: tuple[int, bool, bool], now: float) -> Frame:
        view = self._source.view()
        table = view.snapshot(now)
        sections = {name: orjson.dumps(table.pop(name)) for name in SECTIONS.values()}
        head = {"connected": mark[1], "caught_up": mark[2], **table}
        return Frame(mark, now, head, sections, view.revisions)
