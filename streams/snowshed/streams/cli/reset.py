"""`snowshed reset`: let folding begin anew."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from snowshed.schemas.errors import ConfigurationError
from snowshed.schemas.topics import AGENTS, Topics
from snowshed.streams.cli.console import out, print_json
from snowshed.streams.cli.options import DEFAULT_BOOTSTRAP, DEFAULT_PREFIX, Bootstrap, Json, Prefix, connection_to
from snowshed.streams.cli.reaching import reach
from snowshed.streams.resetting import Beginning, LaneReset, reset

__all__ = ["command"]


def command(
    *,
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP,
    prefix: Prefix = DEFAULT_PREFIX,
    app: Annotated[
        str, typer.Option("--app", envvar="SNOWSHED_APP", help="Name that the workers have in common.")
    ] = "snowshed",
    agent: Annotated[
        list[str] | None, typer.Option("--agent", help=f"Only this agent's ({', '.join(AGENTS)}); may be repeated.")
    ] = None,
    begin: Annotated[
        Beginning, typer.Option(help="`end`: behind what the inputs hold now; `beginning`: at the oldest record.")
    ] = Beginning.END,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Empty the agents' states and let folding begin anew; every worker must be stopped.

    This is the way back when a worker refuses to go on because an input has got more partitions, was made anew, or
    because somebody moved the group's offsets. What the agents have learned is forgotten: baselines, open incidents.
    Decisions in force fade by themselves.
    """
    agents = _known(agent or list(AGENTS))
    if not yes:
        typer.confirm(f"Forget the state of {', '.join(agents)} at {bootstrap}, topics {prefix}.*?", abort=True)
    connection = connection_to(bootstrap)
    reach(connection)
    done = reset(connection, Topics(prefix), app, agents=agents, begin=begin)
    if json:
        print_json(done)
    else:
        out().print(_table(done))


def _known(agents: list[str]) -> list[str]:
    if unknown := sorted({*agents} - AGENTS.keys()):
        raise ConfigurationError(f"there is no agent {', '.join(unknown)}; there are {', '.join(AGENTS)}")
    return agents


def _table(done: list[LaneReset]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("agent", "partition", "state keys removed", "had come to", "begins at"):
        table.add_column(name, justify="left" if name == "agent" else "right")
    for lane in done:
        table.add_row(lane.agent, str(lane.partition), str(lane.keys), str(lane.before), str(lane.after))
    return table
