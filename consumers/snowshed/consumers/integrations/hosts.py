"""A Guard for every host that a client calls."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping

from snowshed.consumers.decisions.view import DecisionView
from snowshed.consumers.guard import Guard
from snowshed.consumers.local import LocalBrakes
from snowshed.schemas.forking import survive_fork

__all__ = ["HostGuards"]

_LOOKED_AT = 8
"""Guards that one call looks at to make room: a few more than it adds, so that the bound is reached again soon."""


class HostGuards:
    """One guard a host, made when the host is first called.

    Of more than `most` the one that was asked for longest ago goes, with what it has learnt and counted, and is made
    anew when its host is called again. One with a call in flight stays.

    Args:
        view: where decisions come from; None for local brakes only.
        caller: the calling service, to also obey decisions about its own edges.
        scopes: the service behind a host, where it is not called like the host.
        local: the local brakes of every guard; those of a Guard by itself when left out.
        most: guards to keep.
    """

    def __init__(
        self,
        view: DecisionView | None = None,
        *,
        caller: str = "",
        scopes: Mapping[str, str] | None = None,
        local: LocalBrakes | None = None,
        most: int = 1_000,
    ) -> None:
        self._view = view
        self.caller = caller
        """The calling service."""
        self._scopes = dict(scopes or {})
        self._local = LocalBrakes() if local is None else local
        self._most = most
        self._guards: OrderedDict[str, Guard] = OrderedDict()
        self.after_fork()
        survive_fork(self)

    def after_fork(self) -> None:
        """Keeps the guards, each of which starts anew in a forked child by itself."""
        self._lock = threading.RLock()  # a finaliser may make a call in the midst of this thread's own look-up

    def __len__(self) -> int:
        """Guards that are kept now."""
        return len(self._guards)

    def of(self, host: str) -> Guard:
        """The guard of a host; hosts of one service share it."""
        scope = self._scopes.get(host, host)
        with self._lock:
            guard = self._guards.get(scope)
            if guard is None:
                self._make_room()
                guard = Guard(scope, view=self._view, caller=self.caller, local=self._local)
                self._guards[scope] = guard
            else:
                self._guards.move_to_end(scope)
        return guard

    def _make_room(self) -> None:
        for _ in range(_LOOKED_AT):
            if len(self._guards) < self._most:
                return
            scope, oldest = next(iter(self._guards.items()))
            if oldest.stats.in_flight:
                self._guards.move_to_end(scope)
            else:
                del self._guards[scope]
