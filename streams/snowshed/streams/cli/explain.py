"""`snowshed explain`: an incident in plain words."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Annotated

import typer

from snowshed.schemas.errors import ConfigurationError
from snowshed.schemas.records import Decision, Incident, IncidentStatus, StatementHealth
from snowshed.streams.cascade import explain
from snowshed.streams.cli.console import print_json
from snowshed.streams.cli.options import DEFAULT_BOOTSTRAP, DEFAULT_PREFIX, Bootstrap, Json, Prefix
from snowshed.streams.cli.world import followed
from snowshed.streams.statements import changed_during
from snowshed.streams.web import View

__all__ = ["changed_statements", "chosen", "command"]

_BEFORE = 300.0
"""Seconds before an incident in which a change may have led to it."""


def command(
    *,
    incident: Annotated[
        str | None, typer.Argument(help="Its id (default: the newest open one, else the newest).")
    ] = None,
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP,
    prefix: Prefix = DEFAULT_PREFIX,
    json: Json = False,
) -> None:
    """Tell an incident in plain words: what happened, what proves it, what was decided."""
    with followed(bootstrap, prefix) as world:
        view = world.view()
    found = chosen(view, incident)
    decisions = [] if found is None else view.decisions_of(found)
    text = "no incident is known: all is well" if found is None else _told(view, found, decisions)
    if json:
        print_json({"incident": found, "decisions": decisions, "explanation": text})
    else:
        typer.echo(text)


def changed_statements(view: View, incident: Incident) -> list[str]:
    """What changed among the statements of the databases that an incident concerns, shortly before it or during it."""
    until = inf if incident.closed_at is None else incident.closed_at
    concerned = {incident.subject, *incident.members}
    records = [one for one in view.of(StatementHealth) if one.callee in concerned]
    return [told for one in records for told in changed_during(one, incident.opened_at - _BEFORE, until)]


def _told(view: View, incident: Incident, decisions: Sequence[Decision]) -> str:
    changed = [f"  statement {told}" for told in changed_statements(view, incident)]
    return "\n".join([explain(incident, decisions), *changed])


def chosen(view: View, incident_id: str | None) -> Incident | None:
    """The incident with this id; without one the newest that is open, else the newest, if there is any.

    Raises:
        ConfigurationError: there is none with this id.
    """
    incidents = sorted(view.of(Incident), key=lambda incident: incident.opened_at)
    if incident_id is None:
        still_open = [incident for incident in incidents if incident.status is IncidentStatus.OPEN]
        return next(reversed(still_open or incidents), None)
    found = view.incident(incident_id)
    if found is None:
        known = ", ".join(incident.incident_id for incident in incidents[-5:]) or "none"
        raise ConfigurationError(f"there is no incident {incident_id!r}; the newest are: {known}")
    return found
