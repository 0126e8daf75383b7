"""Writes the corpus: for each case a recording in clear, for each part the labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import orjson

from snowshed.streams.scoring.label import LABELS, Label
from snowshed.streams.simulate.corpus.case import Case
from snowshed.streams.simulate.corpus.parts import PARTS
from snowshed.streams.simulate.corpus.truth import label
from snowshed.streams.simulate.events import Event, record_scenario
from snowshed.streams.simulate.queueing.seconds import Second
from snowshed.streams.simulate.queueing.telemetry import telemetry

__all__ = ["named", "write_case", "write_corpus"]

_START = 1_790_000_000.0
_BEATS = 1
_DIGITS = 4
"""Of a second: finer differences would only make the files larger."""


def write_corpus(folder: Path) -> int:
    """Write `<part>/<case>.jsonl.gz` and `<part>/labels.jsonl`; the size of all of it in bytes."""
    for part in PARTS:
        (folder / part).mkdir(parents=True, exist_ok=True)
        labels = [write_case(folder / part, name, case) for name, case in named(part)]
        (folder / part / LABELS).write_bytes(b"".join(orjson.dumps(each) + b"\n" for each in labels))
    return sum(path.stat().st_size for path in folder.rglob("*.jsonl*"))


def named(part: str) -> Iterator[tuple[str, Case]]:
    """The cases of a part with their names: the kind and a number."""
    numbers: dict[str, int] = {}
    for case in PARTS[part]:
        numbers[case.kind] = numbers.get(case.kind, 0) + 1
        yield f"{case.kind}-{numbers[case.kind]}", case


def write_case(folder: Path, name: str, case: Case) -> Label:
    """Write one case's recording; its label."""
    run: list[tuple[Second, ...]] = []
    events = telemetry(case.scenario, case.seed, _START, run.append, beats=_BEATS)
    record_scenario(folder / f"{name}.jsonl.gz", _rounded(events), 1, clear=True)
    return label(name, case, run, _START)


def _rounded(events: Iterable[Event]) -> Iterator[Event]:
    for event in events:
        record = event.record
        numbers = {field.name: _round(getattr(record, field.name)) for field in fields(record)}
        yield replace(event, record=replace(record, **numbers))


def _round(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, _DIGITS)
    return tuple(map(_round, value)) if isinstance(value, tuple) else value  # pyright: ignore[reportUnknownArgumentType]
