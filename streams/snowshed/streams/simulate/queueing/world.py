"""What the parts of one simulation share."""

from __future__ import annotations

from dataclasses import dataclass

from snowshed.streams.simulate.queueing.agenda import Agenda
from snowshed.streams.simulate.queueing.observing import Observer
from snowshed.streams.simulate.queueing.troubles import Trouble

__all__ = ["World"]


@dataclass(frozen=True, slots=True)
class World:
    """One simulation."""

    agenda: Agenda
    troubles: tuple[Trouble, ...]
    seed: int
    observer: Observer | None
    """Is told of each attempt that has ended."""
