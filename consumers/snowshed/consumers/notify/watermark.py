"""Up to where a partition may be committed: no offset past a notice that is not settled; pure."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Watermarks"]

Place = tuple[str, int]
"""A topic and a partition."""


@dataclass(slots=True)
class _Reading:
    next_offset: int
    open: dict[int, int] = field(default_factory=dict[int, int])
    """Deliveries that are left of each record."""
    committed: int = -1


@dataclass(slots=True)
class Watermarks:
    """Counts for each record read how many of its deliveries have not ended."""

    _readings: dict[Place, _Reading] = field(default_factory=dict[Place, _Reading])

    def read(self, place: Place, offset: int) -> None:
        """A record has been read; `expect` says later how many deliveries it takes."""
        reading = self._readings.setdefault(place, _Reading(offset))
        reading.next_offset = offset + 1
        reading.open[offset] = 1

    def expect(self, place: Place, offset: int, deliveries: int) -> None:
        """A record that was read takes so many deliveries."""
        reading = self._readings.get(place)
        if reading is None or offset not in reading.open:
            return
        reading.open[offset] = deliveries
        if not deliveries:
            del reading.open[offset]

    def settled(self, place: Place, offset: int) -> None:
        """One delivery of a record has ended."""
        reading = self._readings.get(place)
        if reading is None or offset not in reading.open:
            return
        reading.open[offset] -= 1
        if not reading.open[offset]:
            del reading.open[offset]

    def forget(self, place: Place) -> None:
        """The partition is no longer ours."""
        self._readings.pop(place, None)

    def due(self) -> dict[Place, int]:
        """The offsets that have moved since they were last asked for."""
        found: dict[Place, int] = {}
        for place, reading in self._readings.items():
            offset = min(reading.open, default=reading.next_offset)
            if offset != reading.committed:
                reading.committed = found[place] = offset
        return found
