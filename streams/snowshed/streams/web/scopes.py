"""What an order can be about: services, edges and datasets that have been seen."""

from __future__ import annotations

from snowshed.schemas.records import Decision, EdgeHealth, Lag, ScopeKind, ServiceHealth
from snowshed.streams.control.ordering import Place
from snowshed.streams.web.world import View

__all__ = ["scopes"]


def scopes(view: View) -> dict[str, Place]:
    """Every scope that has been seen or decided about, with its domain; a service goes before a dataset of its name."""
    found = {one.scope: Place(one.domain, one.scope_kind) for one in view.of(Decision)}
    for lag in view.of(Lag):
        found[lag.dataset] = Place(lag.domain, ScopeKind.DATASET)
    for edge in view.of(EdgeHealth):
        found[f"{edge.caller}>{edge.callee}"] = Place(edge.domain, ScopeKind.EDGE)
        found[edge.callee] = Place(edge.domain, ScopeKind.SERVICE)
    for service in view.of(ServiceHealth):
        found[service.service] = Place(service.domain, ScopeKind.SERVICE)
    return found
