"""Sorts notices into the outboxes of channels and knows when each has been dealt with; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from snowshed.consumers.notify.memory import Memory
from snowshed.consumers.notify.message import Delivery, NoticeItem, NoticeMessage
from snowshed.consumers.notify.outbox import Limits, Outbox, Settled
from snowshed.consumers.notify.routes import Route, channels_for
from snowshed.consumers.notify.watermark import Place, Watermarks

__all__ = ["Desk", "Source"]


@dataclass(frozen=True, slots=True)
class Source:
    """The record that a notice came from."""

    place: Place
    offset: int
    timestamp: float
    key: bytes | None
    value: bytes | None


class Desk:
    """All channels of a notifier.

    Args:
        limits: how each channel is spared.
        routes: which notice goes where.
        memory: what is known of incidents and deliveries.
        max_age: seconds after which nobody is told of a notice any more, unless its incident is open or was told of.
    """

    def __init__(self, limits: Mapping[str, Limits], routes: Sequence[Route], memory: Memory, max_age: float) -> None:
        self.outboxes = {name: Outbox(each) for name, each in limits.items()}
        self._routes, self._memory, self._max_age = routes, memory, max_age
        self._marks = Watermarks()
        self._sources: dict[tuple[str, str], list[Source]] = {}

    def arrived(self, source: Source) -> None:
        """A record has been read; nothing behind it is committed before it is dealt with."""
        self._marks.read(source.place, source.offset)

    def pass_over(self, source: Source) -> None:
        """A record needs nobody's attention."""
        self._marks.expect(source.place, source.offset, 0)

    def take(self, source: Source, item: NoticeItem, now: float) -> tuple[str, ...]:
        """Put an item into the outboxes of its channels, but for those that have had it; the channels."""
        names: tuple[str, ...] = ()
        if now - item.issued_at <= self._max_age or self._memory.matters(item.incident_id):
            names = tuple(
                name
                for name in channels_for(self._routes, item)
                if not self._memory.ended(item.incident_id, item.notice_id, name)
            )
        self._marks.expect(source.place, source.offset, len(names))
        for name in names:
            waiting = self._sources.setdefault((item.notice_id, name), [])
            if not waiting:
                self.outboxes[name].add(item, now)
            waiting.append(source)
        return names

    def due(self, name: str, now: float) -> NoticeMessage | None:
        """What is to be sent on a channel now."""
        return self.outboxes[name].due(now)

    def settle(self, name: str, delivery: Delivery, now: float) -> Settled | None:
        """What was sent on a channel came to this; the items whose delivery has ended and must be recorded."""
        return self.outboxes[name].settle(delivery, now)

    def sources(self, name: str, item: NoticeItem) -> Sequence[Source]:
        """The records that an item came from."""
        return tuple(self._sources.get((item.notice_id, name), ()))

    def recorded(self, name: str, item: NoticeItem) -> None:
        """That the delivery of an item has ended stands in the log."""
        for source in self._sources.pop((item.notice_id, name), ()):
            self._marks.settled(source.place, source.offset)

    def forget(self, places: AbstractSet[Place]) -> None:
        """Others read these partitions from now on."""
        for key, sources in list(self._sources.items()):
            left = [source for source in sources if source.place not in places]
            if left:
                self._sources[key] = left
            else:
                del self._sources[key]
        for name, outbox in self.outboxes.items():
            outbox.forget(lambda item, name=name: (item.notice_id, name) not in self._sources)  # type: ignore[misc]
        for place in places:
            self._marks.forget(place)

    def commits(self) -> dict[Place, int]:
        """The offsets that may be committed and have not been."""
        return self._marks.due()
