"""The state of the fleet as tables for a terminal; pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from math import isnan
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

__all__ = ["fleet"]

_Row = Mapping[str, Any]
_Cell = Callable[[_Row], "Text | str"]

_GOOD = frozenset({"alive", "ok", "fresh", "closed", "stable"})
_QUIET = frozenset({"left", "silent"})
_WORRYING = frozenset({"suspect", "observer_suspect", "amplified", "unknown", "recovering", "triggered"})


def fleet(state: Mapping[str, Any]) -> RenderableType:
    """Everything that a snapshot of the world holds.

    Args:
        state: what `View.snapshot` gives, with `connected` beside it.
    """
    now = float(state["now"])
    parts: list[RenderableType] = [_head(state)]
    for name, columns in _SECTIONS.items():
        rows: Sequence[_Row] = state[name]
        if rows:
            parts += ["", _table(name, columns, [{**row, "now": now} for row in rows])]
    if not any(state[name] for name in _SECTIONS):
        parts += ["", "Nothing reports yet. Try: snowshed publish scenario retry-storm"]
    return Group(*parts)


def _head(state: Mapping[str, Any]) -> Text:
    still_open = sum(1 for row in state["incidents"] if _word(row["status"]) == "open")
    lag = state["detector"]["lag"]
    text = Text("snowshed  ", style="bold")
    text.append(f"open incidents: {still_open}" if still_open else "all well", "bold red" if still_open else "green")
    text.append("  detector " + ("silent" if lag is None else f"{lag:.1f} s behind"), "dim")
    if not state["connected"]:
        text.append("  no broker answers: this is old", "bold red")
    return text


def _table(title: str, columns: Mapping[str, _Cell], rows: Sequence[_Row]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for name in columns:
        table.add_column(name, style="none", header_style="dim", overflow="fold")
    for row in rows:
        table.add_row(*(cell(row) for cell in columns.values()), style="dim" if row.get("stale") else "")
    return table


def _word(value: object) -> str:
    return str(value.value) if isinstance(value, Enum) else str(value)


def _text(name: str) -> _Cell:
    # Names come from whoever reports; as Text they are shown as they are, never read as markup.
    return lambda row: Text(_word(row[name]))


def _status(row: _Row) -> Text:
    word = _word(row["status"])
    if word in _GOOD:
        return Text(word, "green")
    if word in _QUIET:
        return Text(word, "dim")
    return Text(word, "yellow" if word in _WORRYING else "bold red")


def _ago(name: str) -> _Cell:
    return lambda row: _seconds(float(row["now"]) - float(row[name]))


def _seconds(value: float) -> str:
    if isnan(value):
        return "-"
    if value < 0.1:
        return f"{value * 1000:.0f} ms"
    return f"{value:.1f} s" if value < 60 else f"{value / 60:.0f} min"


def _duration(name: str) -> _Cell:
    return lambda row: _seconds(float(row[name]))


def _share(name: str) -> _Cell:
    return lambda row: "-" if isnan(row[name]) else f"{row[name]:.0%}"


def _number(name: str) -> _Cell:
    return lambda row: "-" if isnan(row[name]) else f"{row[name]:.1f}"


def _edge(row: _Row) -> Text:
    return Text(f"{row['caller']} > {row['callee']}")


def _vulnerability(row: _Row) -> Text | str:
    """Bounds of V = ρ·(1 + r); above 1 a trigger may leave the service in a state that it cannot leave by itself."""
    low, high = float(row["vulnerability_low"]), float(row["vulnerability_high"])
    if isnan(low) and isnan(high):
        return "-"
    said = f"{low:.2f}" if low == high else f"≥ {low:.2f}" if isnan(high) else f"≤ {high:.2f}"
    if not isnan(low) and not isnan(high) and low < high:
        said = f"{low:.2f} … {high:.2f}"
    return Text(said, "bold red" if low > 1.0 else "yellow" if high > 1.0 else "")


def _replica(row: _Row) -> Text:
    return Text(f"{row['dataset']}/{row['replica']}")


def _interval(row: _Row) -> str:
    return f"{_seconds(row['low'])} … {_seconds(row['high'])}"


def _visible(row: _Row) -> Text:
    """Times by which half, 99 % and 99.9 % of the writes are visible."""
    if row.get("pairs") is None:
        return Text("-")
    times = [row[name] for name in ("t50", "t99", "t999")]
    return Text(" / ".join("?" if seconds is None else _seconds(seconds) for seconds in times))


def _optional_share(name: str) -> _Cell:
    return lambda row: "-" if row.get(name) is None else f"{row[name]:.1%}"


def _budget(row: _Row) -> Text:
    if row.get("budget_left") is None:
        return Text("-")
    alert = row["alert"]
    return Text(f"{row['budget_left']:.0%}{f' ({alert})' if alert else ''}", "bold red" if alert == "page" else "")


def _condition(row: _Row) -> Text:
    word = row.get("condition") or "-"
    return Text(word, "" if word in {"-", "ok", "healthy", "degraded"} else "bold red")


_SECTIONS: Mapping[str, Mapping[str, _Cell]] = {
    "incidents": {
        "incident": _text("incident_id"),
        "status": _status,
        "since": _ago("opened_at"),
        "what": _text("summary"),
    },
    "decisions": {
        "scope": _text("scope"),
        "kind": _text("kind"),
        "mode": _text("mode"),
        "ends in": _duration("remaining"),
        "why": _text("reason"),
    },
    "nodes": {
        "node": _text("node"),
        "service": _text("service"),
        "status": _status,
        "since": _ago("since"),
        "cpu": _share("cpu"),
        "memory": _share("memory"),
    },
    "edges": {
        "edge": _edge,
        "status": _status,
        "calls/s": _number("rate"),
        "errors": _share("error_ratio"),
        "attempts": _number("amplification"),
        "p50": _duration("p50"),
        "p99": _duration("p99"),
    },
    "services": {
        "service": _text("service"),
        "status": _status,
        "usual/s": _number("demand"),
        "done/s": _number("throughput"),
        "vulnerability": _vulnerability,
        "by": _text("vulnerability_method"),
    },
    "lag": {
        "replica": _replica,
        "status": _status,
        "behind": _interval,
        "objective": _duration("slo"),
        "visible after 50/99/99.9 %": _visible,
        "not seen": _optional_share("censored_share"),
        "stale at objective": _optional_share("stale_share"),
        "budget left": _budget,
        "state": _condition,
    },
}
"""The tables, most urgent first, and their columns."""
