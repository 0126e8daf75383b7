"""What a collected heap costs a service: the more requests are inside, the fuller it is, and the slower each; pure.

A collector runs whenever what is free has been used up, and goes through what is live. So a request causes collections
in proportion to live / free: next to nothing in an empty heap, and without bound in a full one. Requests that wait are
live too, which is why a queue makes a service slower, and slower service a longer queue (Huang et al., OSDI 2022).
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["HeapSpec"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeapSpec:
    """A heap of a size, in any unit."""

    size: float
    rest: float
    """What is live while no request is inside."""
    each: float
    """What a request keeps live from its arrival to its end."""
    cost: float
    """Seconds for which a request stops the whole service where as much is free as is live."""
    full: float = 0.93
    """Live share from which on a request finds no room."""

    def live(self, inside: int) -> float:
        """The share of the heap that is live with so many requests inside."""
        return min((self.rest + self.each * inside) / self.size, self.full)

    def has_room(self, inside: int) -> bool:
        """Whether one more request finds room."""
        return self.rest + self.each * (inside + 1) <= self.full * self.size

    def pause(self, inside: int) -> float:
        """Seconds for which a request stops the whole service."""
        live = self.live(inside)
        return self.cost * live / (1.0 - live)
