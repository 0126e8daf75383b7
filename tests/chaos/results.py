"""Verdicts kept as JSON lines, and the table that is made of them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.chaos.cases import CASES
from tests.chaos.run import Verdict
from tests.chaos.systems import FAUST, SNOWSHED

__all__ = ["Row", "append", "load", "table"]


@dataclass(frozen=True, slots=True)
class Row:
    """What is kept of one verdict."""

    system: str
    case: str
    seed: int
    protocol: str
    ok: bool
    faults: dict[str, int]
    expected: int
    lost: int
    repeated: int
    unexpected: int
    letters: int
    state: int
    others: list[str]
    seconds: float
    resident: int

    @classmethod
    def of(cls, verdict: Verdict) -> Self:
        """The row of a verdict."""
        found = verdict.differences
        return cls(
            verdict.system,
            verdict.case,
            verdict.seed,
            verdict.protocol,
            verdict.ok,
            dict(verdict.faults),
            verdict.expected,
            len(found.lost),
            len(found.repeated),
            len(found.unexpected),
            len(found.letters),
            len(found.state),
            list(found.others),
            round(verdict.seconds, 1),
            verdict.resident,
        )


def append(path: Path, verdict: Verdict) -> None:
    """Add a verdict to a file."""
    with path.open("a") as file:
        row = Row.of(verdict)
        file.write(json.dumps({name: getattr(row, name) for name in Row.__slots__}) + "\n")


def load(paths: Iterable[Path]) -> list[Row]:
    """All rows of some files."""
    return [Row(**json.loads(line)) for path in paths for line in path.read_text().splitlines() if line.strip()]


def table(rows: Sequence[Row]) -> str:
    """Both systems beside each other, a line a case, in Markdown."""
    of_each = "runs | faults | decisions | lost / repeated / other"
    lines = [
        f"| case | what goes wrong | Snowshed: {of_each} | Faust: {of_each} |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for name, case in CASES.items():
        if of_case := [row for row in rows if row.case == name]:
            cells = (*_cells(of_case, SNOWSHED.name), *_cells(of_case, FAUST.name))
            lines.append(f"| {name} | {case.summary} | {' | '.join(cells)} |")
    totals = (*_cells(rows, SNOWSHED.name), *_cells(rows, FAUST.name))
    lines.append(f"| **all** | | {' | '.join(totals)} |")
    return "\n".join([*lines, "", *_kinds(rows)])


def _cells(rows: Sequence[Row], system: str) -> tuple[str, str, str, str]:
    own = [row for row in rows if row.system == system]
    if not own:
        return ("–", "–", "–", "–")
    faults = sum(sum(row.faults.values()) for row in own)
    wrong = [sum(values) for values in zip(*((row.lost, row.repeated, _other(row)) for row in own), strict=True)]
    found = f"{wrong[0]} / {wrong[1]} / {wrong[2]}"
    return str(len(own)), str(faults), str(sum(row.expected for row in own)), found if any(wrong) else f"**{found}**"


def _other(row: Row) -> int:
    return row.unexpected + row.letters + row.state + len(row.others)


def _kinds(rows: Sequence[Row]) -> Iterable[str]:
    """How many faults of each kind the first system bore."""
    kinds = Counter[str]()
    for row in rows:
        if row.system == SNOWSHED.name:
            kinds.update(row.faults)
    yield f"Faults injected into Snowshed's runs, {kinds.total()} in all:"
    yield ""
    yield from (f"* {kind}: {count}" for kind, count in sorted(kinds.items()))
