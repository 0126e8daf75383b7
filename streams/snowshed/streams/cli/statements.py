"""`snowshed statements`: what the statements of databases cost, and which have changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from math import isnan
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from snowshed.schemas.errors import ConfigurationError
from snowshed.schemas.records import StatementHealth
from snowshed.streams.cli.console import out, print_json
from snowshed.streams.cli.options import DEFAULT_BOOTSTRAP, DEFAULT_PREFIX, Bootstrap, Json, Prefix
from snowshed.streams.cli.world import followed
from snowshed.streams.statements import told

__all__ = ["chosen", "command", "shown"]

_COLUMNS = ("statement", "kind", "calls/s", "share", "usual", "mean", "p90", "p99", "errors", "change")
_NOTHING = "No database's statements are known: see docs/howto-statements.md for what reports them."


def command(
    *,
    database: Annotated[str | None, typer.Argument(help="Its name as a callee (default: every one).")] = None,
    top: Annotated[int, typer.Option(min=1, help="Statements shown of each database.")] = 10,
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP,
    prefix: Prefix = DEFAULT_PREFIX,
    json: Json = False,
) -> None:
    """Show the statements that cost databases most, and those that have changed."""
    with followed(bootstrap, prefix) as world:
        records = chosen(world.view().of(StatementHealth), database)
    if json:
        print_json(records)
    else:
        out().print(shown(records, top))


def chosen(records: Iterable[StatementHealth], database: str | None) -> list[StatementHealth]:
    """The records of one database, or of all, by name.

    Raises:
        ConfigurationError: nothing is known of this one.
    """
    by_name = sorted(records, key=lambda record: record.callee)
    found = [record for record in by_name if database in {None, record.callee}]
    if database is not None and not found:
        known = ", ".join(record.callee for record in by_name) or "none"
        raise ConfigurationError(f"no statements of {database!r} are known; databases with statements are: {known}")
    return found


def shown(records: Sequence[StatementHealth], top: int) -> RenderableType:
    """A table a database, and its changes in words."""
    parts: list[RenderableType] = []
    for record in records:
        parts += [_table(record, top), *_changes(record), ""]
    return Group(*parts[:-1]) if parts else Text(_NOTHING)


def _table(record: StatementHealth, top: int) -> Table:
    observed = _clock(record.observed_at)
    title = Text(f"{record.callee}: {record.calls:.0f} calls in {record.window:.0f} s, {observed}", "bold")
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for name in _COLUMNS:
        table.add_column(name, header_style="dim", overflow="fold")
    for row in _rows(record, top):
        table.add_row(*_cells(record, row), style="yellow" if record.change[row] else "")
    return table


def _rows(record: StatementHealth, top: int) -> list[int]:
    """The first few, and each that has changed wherever it stands."""
    return [row for row, change in enumerate(record.change) if row < top or change]


def _cells(record: StatementHealth, row: int) -> list[Text | str]:
    return [
        # Names come from whoever reports; as Text they are shown as they are, never read as markup.
        Text(record.statement[row]),
        Text(record.operation[row]),
        f"{record.rate[row]:.1f}",
        _share(record.share[row]),
        _share(record.usual_share[row]),
        _seconds(record.mean[row]),
        _seconds(record.p90[row]),
        _seconds(record.p99[row]),
        _share(record.errors[row]),
        record.change[row],
    ]


def _changes(record: StatementHealth) -> list[Text]:
    changed = [row for row, kind in enumerate(record.change) if kind]
    return [Text(f"since {_clock(record.onset[row])}: {told(record, row)}") for row in changed]


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _share(value: float) -> str:
    return "-" if isnan(value) else f"{value:.1%}"


def _seconds(value: float) -> str:
    if isnan(value):
        return "-"
    return f"{value * 1000:.1f} ms" if value < 1.0 else f"{value:.2f} s"
