"""What `snowshed policy` says: mistakes, changes and settings, as lines for people and as rows for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from snowshed.streams.cli.policy_words import meaning, shown
from snowshed.streams.policy import Document, Policy, PolicyError
from snowshed.streams.policy.differences import Change
from snowshed.streams.policy.document import leaves
from snowshed.streams.policy.mapping import dotted

__all__ = ["change_lines", "plain", "problems_in", "row_line", "settings_of"]


def row_line(row: Mapping[str, object]) -> str:
    """A setting in one line."""
    unit = f" {row['unit']}" if row["unit"] else ""
    return f"{row['key']} = {row['text']}{unit}  [{row['from']}]  {row['means']}"


def problems_in(error: PolicyError) -> Iterator[Mapping[str, object]]:
    """Each mistake for programs, with its place."""
    for problem, place in zip(error.problems, error.places, strict=True):
        line, column = (None, None) if place is None else place
        yield {"line": line, "column": column, "key": dotted(problem.path), "problem": problem.what}


def _key(path: tuple[str, ...]) -> str:
    return dotted(path).removeprefix("policy.")


def plain(change: Change) -> Mapping[str, object]:
    """A change for programs."""
    return {
        "key": _key(change.path),
        "concerns": change.concerns,
        "a": change.a,
        "b": change.b,
        "unit": meaning(change.path).unit,
        "means": meaning(change.path).text,
    }


def change_lines(head: str, changes: Sequence[Change]) -> Iterator[str]:
    """What changes for whom, in lines for people."""
    yield head
    if not changes:
        yield "Both judge alike."
    for whom, own in groupby(changes, key=lambda change: change.concerns):
        yield f"\nfor {whom}"
        for change in own:
            yield f"  {_key(change.path)}: {_value(change, change.a)} → {_value(change, change.b)}"
            yield f"    {meaning(change.path).text}"


def _value(change: Change, value: object) -> str:
    unit = meaning(change.path).unit
    return f"{shown(value)} {unit}" if unit and value is not None else shown(value)


def settings_of(document: Document | None, name: str) -> Iterator[Mapping[str, object]]:
    """Every setting of a policy for programs; `name` stands for its file."""
    policy = Policy() if document is None else document.policy
    for path, value in leaves(policy):
        place = None if document is None else document.places.get(path)
        said = meaning(path)
        yield {
            "key": _key(path),
            "value": value,
            "text": shown(value),
            "unit": said.unit if value is not None else "",
            "from": f"built-in {said.source}".strip() if place is None else f"{name}:{place.line}",
            "means": said.text,
            "set": place is not None,
        }
