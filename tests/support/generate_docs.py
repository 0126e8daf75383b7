"""Writes the parts of the documentation that follow from the code: `python -m tests.support.generate_docs`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from snowshed.consumers.actions.states import FINAL
from snowshed.consumers.actions.states import TRANSITIONS as ACTION_TRANSITIONS
from snowshed.schemas.catalogue import RECORD_TYPES, current_schema
from snowshed.schemas.records import ActionStatus
from snowshed.schemas.topics import AGENTS, CATALOGUE, Topics, TopicSpec
from snowshed.streams.lab import SCENARIOS
from snowshed.streams.metrics import Metrics
from snowshed.streams.permissions import ROLES, Access
from snowshed.streams.transactions.states import TRANSITIONS, LaneState

__all__ = ["DOCS", "PARTS", "rewritten"]

DOCS = Path(__file__).parents[2] / "docs"
_DAY = 86_400.0


def topic_table() -> str:
    """The catalogue of topics as a table."""
    head = ("topic", "key", "partitions", "cleanup", "kept", "records", "written by", "time stamps")
    return _table(head, [_topic_row(spec) for spec in CATALOGUE])


def _topic_row(spec: TopicSpec) -> tuple[str, ...]:
    topics = Topics()
    records = (
        ", ".join(f"[{kind.__name__}](#{kind.__name__.lower()})" for kind in spec.records) or "the fold's own state"
    )
    return (
        f"`{topics.full(spec.name)}`",
        spec.key,
        f"as `{spec.copartitioned_with}`" if spec.copartitioned_with else str(spec.partitions),
        spec.cleanup,
        "until compacted" if spec.retention is None else f"{spec.retention / _DAY:g} d",
        records,
        spec.written_by,
        "broker's" if spec.append_time else "writer's",
    )


def agent_table() -> str:
    """Each agent, what it reads and what it keeps."""
    rows = [
        (f"`{name}`", f"`{topic}`", f"`state.{name}`", f"`journal.{name}`", f"`checkpoint.{name}`")
        for name, topic in AGENTS.items()
    ]
    return _table(("agent", "input", "state", "journal", "checkpoint"), rows)


def records() -> str:
    """Every record with its fields, from its Avro schema."""
    return "\n\n".join(_record(json.loads(current_schema(kind).source)) for kind in RECORD_TYPES)


def _record(schema: Mapping[str, Any]) -> str:
    rows = [(f"`{one['name']}`", _type(one["type"]), one.get("doc", "")) for one in schema["fields"]]
    return f"### {schema['name']}\n\n{schema['doc']}\n\n{_table(('field', 'type', 'meaning'), rows)}"


def _type(schema: str | list[Any] | dict[str, Any]) -> str:
    if isinstance(schema, str):
        return schema
    if isinstance(schema, list):
        return " or ".join(_type(one) for one in schema)
    return _complex_type(schema)


def _complex_type(schema: dict[str, Any]) -> str:
    match schema["type"]:
        case "array":
            return f"array of {_type(schema['items'])}"
        case "enum":
            return " / ".join(f"`{symbol}`" for symbol in schema["symbols"])
        case "record":
            inner = ", ".join(f"`{field['name']}`" for field in schema["fields"])
            return f"{schema['name']} ({inner})"
        case other:
            return str(other)


def lane_states() -> str:
    """The life of a lane as a Mermaid diagram."""
    first = next(iter(LaneState))
    edges: dict[tuple[str, str], list[str]] = {}
    for before, row in TRANSITIONS.items():
        for event, after in row.items():
            edges.setdefault((before.value, after.value), []).append(event.value)
    lines = [f"    {before} --> {after}: {', '.join(events)}" for (before, after), events in edges.items()]
    ends = [f"    {state.value} --> [*]" for state, row in TRANSITIONS.items() if not row]
    return "\n".join(["```mermaid", "stateDiagram-v2", f"    [*] --> {first.value}", *lines, *ends, "```"])


def action_states() -> str:
    """The life of an action as a Mermaid diagram."""
    first = next(iter(ActionStatus))
    edges: dict[tuple[str, str], list[str]] = {}
    for before, row in ACTION_TRANSITIONS.items():
        for event, after in row.items():
            edges.setdefault((before.value, after.value), []).append(event.value)
    lines = [f"    {before} --> {after}: {', '.join(events)}" for (before, after), events in edges.items()]
    ends = [f"    {status.value} --> [*]" for status in ACTION_TRANSITIONS if status in FINAL]
    return "\n".join(["```mermaid", "stateDiagram-v2", f"    [*] --> {first.value}", *lines, *ends, "```"])


def metric_table() -> str:
    """What a worker exposes to Prometheus."""
    rows = [
        (f"`{family.name}{'_total' if family.type == 'counter' else ''}`", family.type, family.documentation)
        for family in _families(Metrics().registry)
    ]
    return _table(("metric", "type", "meaning"), rows)


def permission_table() -> str:
    """What each role may do, with the default names."""
    rows = [
        (f"`{name}`: {role.who}" if first else "", _resources(access), _operations(access))
        for name, role in ROLES.items()
        for first, access in zip((True, *(False,) * len(role.accesses)), role.accesses, strict=False)
    ]
    return _table(("role", "resource", "operations"), rows)


def _resources(access: Access) -> str:
    names = ", ".join(f"`{name.format(prefix='snowshed', app='snowshed')}`" for name in access.names)
    kind = access.resource.replace("-", " ")
    if access.resource == "cluster":
        return "cluster"
    plural = "s" if access.prefixed or len(access.names) > 1 else ""
    return f"{kind}{plural} prefixed {names}" if access.prefixed else f"{kind}{plural} {names}"


def _operations(access: Access) -> str:
    notes = [note for note in (access.purpose, "may be left out" if access.optional else "") if note]
    return ", ".join(access.operations) + (f" ({'; '.join(notes)})" if notes else "")


def _families(registry: CollectorRegistry) -> list[Any]:
    return sorted(registry.collect(), key=lambda family: family.name)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def scenario_table() -> str:
    """What the lab plays."""
    rows = [(f"`{one.name}`", one.summary, one.expected) for one in SCENARIOS.values()]
    return _table(("name", "what happens", "what is expected"), rows)


PARTS: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "topics.md": {"topics": topic_table, "agents": agent_table, "records": records},
    "architecture.md": {"lane states": lane_states},
    "howto-lab.md": {"lab scenarios": scenario_table},
    "howto-runbooks.md": {"action states": action_states},
    "operations.md": {"metrics": metric_table, "permissions": permission_table},
}
"""The generated parts by page and name; each stands between `<!-- generated: name -->` and `<!-- end -->`."""


def rewritten(page: str) -> str:
    """A page with its generated parts made anew."""
    text = (DOCS / page).read_text("utf-8")
    for name, generate in PARTS[page].items():
        pattern = re.compile(rf"(<!-- generated: {re.escape(name)} -->\n).*?(\n<!-- end -->)", re.DOTALL)
        new = f"\\1\n{_escaped(generate())}\n\\2"
        text, found = pattern.subn(new, text)
        assert found == 1, f"docs/{page} has {found} parts called {name!r}"
    return text


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\")


if __name__ == "__main__":
    for each in PARTS:
        (DOCS / each).write_text(rewritten(each), "utf-8")
