"""`snowshed doctor`: what works here, what does not, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from snowshed.schemas.errors import SnowshedError
from snowshed.schemas.topics import Topics
from snowshed.streams.cli.checks import Finding, broker_findings, machine_findings
from snowshed.streams.cli.console import out, print_json
from snowshed.streams.cli.data import data_folder
from snowshed.streams.cli.options import DEFAULT_BOOTSTRAP, DEFAULT_PREFIX, Json, Prefix, connection_to

__all__ = ["command"]


def command(
    *,
    bootstrap: Annotated[
        str | None,
        typer.Option(
            envvar="SNOWSHED_BOOTSTRAP",
            metavar="HOST:PORT",
            help=f"Kafka brokers that must be there (default: {DEFAULT_BOOTSTRAP}, which need not).",
        ),
    ] = None,
    prefix: Prefix = DEFAULT_PREFIX,
    data: Annotated[Path | None, typer.Option(help="Folder that `snowshed up` would use.")] = None,
    json: Json = False,
) -> None:
    """Check this machine and its broker, and say what to mend.

    Ends with 1 when something is found that keeps Snowshed from working.
    """
    connection = connection_to(bootstrap or DEFAULT_BOOTSTRAP)
    findings = [
        *machine_findings(data_folder(data)),
        *broker_findings(connection, Topics(prefix), required=bootstrap is not None),
    ]
    if json:
        print_json(findings)
    else:
        _show(findings, out())
    if blocking := [finding.name for finding in findings if finding.blocking and not finding.ok]:
        raise SnowshedError(f"to be mended first: {', '.join(blocking)}")


def _show(findings: Sequence[Finding], console: Console) -> None:
    for finding in findings:
        sign, style = ("✓", "green") if finding.ok else ("✗", "bold red" if finding.blocking else "yellow")
        console.print(Text.assemble((f"{sign} ", style), (finding.name, "bold"), f"  {finding.detail}"))
        if finding.remedy:
            console.print(Text(f"    {finding.remedy}", "dim"))
