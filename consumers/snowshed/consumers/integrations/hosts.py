"""A Guard for every host that a client calls."""

from __future__ import annotations

from collections.abc import Mapping

from snowshed.consumers.decisions.view import DecisionView
from snowshed.consumers.guard import Guard
from snowshed.consumers.local import LocalBrakes

__all__ = ["HostGuards"]


class HostGuards:
    """One guard a host, made when the host is first called.

    Args:
        view: where decisions come from; None for local brakes only.
        caller: the calling service, to also obey decisions about its own edges.
        scopes: the service behind a host, where it is not called like the host.
        local: the local brakes of every guard; those of a Guard by itself when left out.
    """

    def __init__(
        self,
        view: DecisionView | None = None,
        *,
        caller: str = "",
        scopes: Mapping[str, str] | None = None,
        local: LocalBrakes | None = None,
    ) -> None:
        self._view = view
        self.caller = caller
        """The calling service."""
        self._scopes = dict(scopes or {})
        self._local = LocalBrakes() if local is None else local
        self._guards: dict[str, Guard] = {}

    def of(self, host: str) -> Guard:
        """The guard of a host; hosts of one service share it."""
        scope = self._scopes.get(host, host)
        guard = self._guards.get(scope)
        # `setdefault` keeps one guard when two threads meet here.
        if guard is None:
            made = Guard(scope, view=self._view, caller=self.caller, local=self._local)
            guard = self._guards.setdefault(scope, made)
        return guard
