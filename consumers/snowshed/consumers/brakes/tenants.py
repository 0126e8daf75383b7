"""The tenant cap: while there is overload, nobody takes more than twice a fair share; pure."""

from __future__ import annotations

from dataclasses import dataclass

from snowshed.consumers.brakes.bounds import check

__all__ = ["Tenants", "TenantsOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantsOptions:
    """How unequal tenants may be."""

    shares: float = 2.0
    """Fair shares of the calls in flight that one tenant may have under overload."""

    def __post_init__(self) -> None:
        check(self, low=1, shares=self.shares)


class Tenants:
    """Counts the calls in flight by tenant; a call without one is not counted.

    A fair share is the calls in flight by the number of tenants that have any. Without overload everything passes.
    """

    __slots__ = ("_in_flight", "_shares", "_total", "is_overloaded")

    def __init__(self, options: TenantsOptions) -> None:
        self._shares = options.shares
        self._in_flight: dict[str, int] = {}
        self._total = 0
        self.is_overloaded = False
        """Whether the cap holds now."""

    def refuses(self, tenant: str) -> bool:
        """Whether one more call of a tenant would be unfair; a first call never is."""
        if not (self.is_overloaded and tenant):
            return False
        held = self._in_flight.get(tenant, 0)
        return len(self._in_flight) > 1 and held >= max(1.0, self._shares * self._total / len(self._in_flight))

    def admitted(self, tenant: str) -> None:
        """A call is made."""
        if tenant:
            self._total += 1
            self._in_flight[tenant] = self._in_flight.get(tenant, 0) + 1

    def ended(self, tenant: str) -> None:
        """A call has ended; a tenant without calls is forgotten."""
        if not tenant:
            return
        self._total -= 1
        left = self._in_flight[tenant] - 1
        if left:
            self._in_flight[tenant] = left
        else:
            del self._in_flight[tenant]

    def forget(self) -> None:
        """Nothing will be heard of the calls in flight."""
        self._in_flight.clear()
        self._total = 0
