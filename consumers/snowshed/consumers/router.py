"""Chooses the server to read a replicated dataset from."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from itertools import count
from math import inf, isnan, nan
from typing import Generic, Literal, TypeVar

from snowshed.consumers.decisions.book import InForce
from snowshed.consumers.decisions.view import DecisionView
from snowshed.schemas.errors import ConfigurationError, Rejected
from snowshed.schemas.records import Consistency, ConsistencyMode, DecisionKind

__all__ = ["Reading", "ReplicaRouter"]

_T = TypeVar("_T")

_RETRY_AFTER = 1.0


@dataclass(frozen=True, slots=True)
class Reading(Generic[_T]):
    """Where a read goes, and how old its answer is at most."""

    name: str
    server: _T
    age: float | None = None
    """Seconds, to be marked on the answer; None where no decision asks for marks, or where nobody knows."""
    beyond: bool = False
    """Whether the answer may be older than the dataset's bound, or the caller's."""


class ReplicaRouter(Generic[_T]):
    """Spreads reads over replicas in turn and keeps them off those that a decision calls too stale.

    Never waits, and only `reading` raises. When the control plane is lost a decision fades and the router then behaves
    as if there were none, unless `on_unknown` sends reads to the primary instead.

    Args:
        dataset: the scope of the decisions to obey.
        servers: by name whatever stands for a server: an engine, a pool, an address.
        primary: the name of the server that is never stale; it serves reads when no replica may.
        view: where decisions come from.
        on_unknown: where reads go while the view is out of touch with the control plane.
        clock_error: seconds by which this host's clock may be wrong against the broker's; ages are that much higher.
        wall: seconds since the epoch.

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
        clock_error: float = 0.25,
        wall: Callable[[], float] = time.time,
    ) -> None:
        if primary not in servers:
            raise ConfigurationError(f"primary {primary!r} of dataset {dataset!r} is not one of {sorted(servers)}")
        self._dataset = dataset
        self._servers = dict(servers)
        self._primary = primary
        self._replicas = tuple(name for name in servers if name != primary)
        self._view = view
        self._on_unknown = on_unknown
        self._clock_error = clock_error
        self._wall = wall
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

    def reading(self, max_staleness: float | None = None, *, excluding: Collection[str] = ()) -> Reading[_T]:
        """The server to read from, with the age to mark on its answer while a decision bounds it.

        Args:
            max_staleness: seconds of staleness the caller accepts, where that is less than the dataset's bound.
            excluding: servers that this process cannot reach.

        Raises:
            Rejected: no server can answer within the bound, and the dataset's policy says to refuse then.
        """
        held = self._bounding()
        if held is None or (bounds := held.decision.consistency) is None:
            return self._plainly(max_staleness, excluding)
        limit = min(inf if bounds.bound is None else bounds.bound, inf if max_staleness is None else max_staleness)
        ages = {name: age for name, age in self._ages(held, bounds).items() if name not in excluding}
        within = [name for name in (*self._replicas, self._primary) if ages.get(name, nan) <= limit]
        if within:
            spread = [name for name in within if name != self._primary] or within
            return self._read(spread[next(self._turn) % len(spread)], ages)
        if bounds.marked and ages:
            return self._read(min(ages, key=lambda name: (isnan(ages[name]), ages[name])), ages, beyond=True)
        reason = f"no server is known to answer within {limit:g} s"
        raise Rejected(self._dataset, reason, retry_after=_RETRY_AFTER, decision_id=held.decision.decision_id)

    def _candidates(self, decided: Consistency | None, max_staleness: float | None) -> tuple[str, ...]:
        """The replicas that may serve this read."""
        if decided is None:
            return self._replicas
        if max_staleness is not None and decided.bound is not None and max_staleness < decided.bound:
            return ()
        allowed = tuple(name for name in self._replicas if name not in decided.avoid)
        preferred = tuple(name for name in allowed if name in decided.prefer)
        return preferred if decided.prefer else allowed

    def _bounding(self) -> InForce | None:
        """The decision that bounds how old answers may be."""
        for one in self._view.for_scope(self._dataset).decisions:
            decided = one.decision.consistency
            if one.decision.kind is DecisionKind.CONSISTENCY and decided is not None and decided.ages:
                return one if decided.mode is ConsistencyMode.SERVE_STALE else None
        return None

    def _ages(self, held: InForce, decided: Consistency) -> Mapping[str, float]:
        """How old an answer of each server is at most now: a replica's has aged since by as much as time has passed."""
        passed = max(self._wall() - held.decision.issued_at, held.age, 0.0) + self._clock_error
        names = (*decided.prefer, *decided.avoid)
        known = zip(names, decided.ages, strict=False)
        ages = {name: age if name == self._primary and not age else age + passed for name, age in known}
        return {name: ages.get(name, nan) for name in self._servers}

    def _read(self, name: str, ages: Mapping[str, float], *, beyond: bool = False) -> Reading[_T]:
        age = ages[name]
        return Reading(name, self._servers[name], None if isnan(age) else age, beyond)

    def _plainly(self, max_staleness: float | None, excluding: Collection[str]) -> Reading[_T]:
        """A read without marks; to a server that can be reached, if there is one."""
        name = self.choose_name(max_staleness)
        if name in excluding:
            name = next((other for other in self._servers if other not in excluding), name)
        return Reading(name, self._servers[name])
