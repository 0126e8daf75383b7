"""Chooses the server to read a replicated dataset from."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from typing import Generic, Literal, TypeVar

from snowshed.consumers.view import DecisionView
from snowshed.schemas.errors import ConfigurationError
from snowshed.schemas.records import Consistency

__all__ = ["ReplicaRouter"]

_T = TypeVar("_T")


class ReplicaRouter(Generic[_T]):
    """Spreads reads over replicas in turn and keeps them off those that a decision calls too stale.

    Never waits and never raises. When the control plane is lost a decision fades and the router then behaves as if
    there were none, unless `on_unknown` sends reads to the primary instead.

    Args:
        dataset: the scope of the decisions to obey.
        servers: by name whatever stands for a server: an engine, a pool, an address.
        primary: the name of the server that is never stale; it serves reads when no replica may.
        view: where decisions come from.
        on_unknown: where reads go while the view is out of touch with the control plane.

    Raises:
        ConfigurationError: the primary is not among the servers.
    """

    def __init__(
        self,
        dataset: str,
        servers: Mapping[str, _T],
        primary: str,
        view: DecisionView,
        *,
        on_unknown: Literal["primary", "replica"] = "replica",
    ) -> None:
        if primary not in servers:
            raise ConfigurationError(f"primary {primary!r} of dataset {dataset!r} is not one of {sorted(servers)}")
        self._dataset = dataset
        self._servers = dict(servers)
        self._primary = primary
        self._replicas = tuple(name for name in servers if name != primary)
        self._view = view
        self._on_unknown = on_unknown
        self._turn = count()

    def choose(self, max_staleness: float | None = None) -> _T:
        """The server to read from; see `choose_name`."""
        return self._servers[self.choose_name(max_staleness)]

    def choose_name(self, max_staleness: float | None = None) -> str:
        """The name of the server to read from.

        Args:
            max_staleness: seconds of staleness the caller accepts; 0 reads from the primary. None accepts what the
                decision in force, or the absence of one, allows.
        """
        if max_staleness is not None and max_staleness <= 0:
            return self._primary
        effective = self._view.for_scope(self._dataset)
        if effective.stale and self._on_unknown == "primary":
            return self._primary
        candidates = self._candidates(effective.consistency, max_staleness)
        return candidates[next(self._turn) % len(candidates)] if candidates else self._primary

    def _candidates(self, decided: Consistency | None, max_staleness: float | None) -> tuple[str, ...]:
        """The replicas that may serve this read."""
        if decided is None:
            return self._replicas
        if max_staleness is not None and decided.bound is not None and max_staleness < decided.bound:
            return ()
        allowed = tuple(name for name in self._replicas if name not in decided.avoid)
        preferred = tuple(name for name in allowed if name in decided.prefer)
        return preferred if decided.prefer else allowed
