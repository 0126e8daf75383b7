"""`snowshed explain`: an incident in plain words."""

from __future__ import annotations

from typing import Annotated

import typer

from snowshed.schemas.errors import ConfigurationError
from snowshed.schemas.records import Incident, IncidentStatus
from snowshed.streams.cascade import explain
from snowshed.streams.cli.console import print_json
from snowshed.streams.cli.options import DEFAULT_BOOTSTRAP, DEFAULT_PREFIX, Bootstrap, Json, Prefix
from snowshed.streams.cli.world import followed
from snowshed.streams.web import View

__all__ = ["chosen", "command"]


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
    text = "no incident is known: all is well" if found is None else explain(found, decisions)
    if json:
        print_json({"incident": found, "decisions": decisions, "explanation": text})
    else:
        typer.echo(text)


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
