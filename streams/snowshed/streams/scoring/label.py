"""What is true of a case of the corpus, and reading it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, cast

import orjson

from snowshed.schemas.errors import ConfigurationError

__all__ = ["LABELS", "Label", "read_labels"]

LABELS = "labels.jsonl"
"""The file beside the cases that tells what is true of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What is true of one case; times are seconds from its first moment."""

    case: str
    """Its recording is `<case>.jsonl.gz`."""
    kind: str
    """What was done."""
    description: str
    seed: int
    start: float
    """The case's first moment, seconds since the Unix epoch."""
    seconds: int
    onset: float | None
    """When the trouble began; None where nothing may alarm anybody."""
    end: float | None
    """When the trigger was over."""
    recovered: float | None
    """When goodput was back; None where it was not, or where nothing happened."""
    metastable: bool
    """Whether goodput stayed down after the trigger was over: taken from the run, not from what was expected."""
    trigger: tuple[str, ...]
    """Names that count as naming the trigger: a node, its service, an edge `caller>callee`, a replica."""
    victims: tuple[str, ...]
    """Services whose calls suffered from it, other than the trigger."""
    expected: tuple[str, ...]
    """Kinds of incidents that count as right; none where there must be no incident."""
    entries: tuple[str, ...]
    """Edges `caller>callee` on which requests come in from outside."""


def read_labels(part: Path) -> tuple[Label, ...]:
    """The labels of a part of a corpus, by case.

    Raises:
        ConfigurationError: there are none, or a line is no label.
    """
    path = part / LABELS
    try:
        rows = [line for line in path.read_bytes().splitlines() if line.strip()]
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be read: {error.strerror}; make a corpus with `snowshed simulate --corpus FOLDER`"
        ) from error
    return tuple(_labels(path, rows))


def _labels(path: Path, rows: list[bytes]) -> Iterator[Label]:
    known = {field.name for field in fields(Label)}
    for number, line in enumerate(rows, 1):
        try:
            row = cast("dict[str, Any]", orjson.loads(line))
            yield Label(**{name: _value(value) for name, value in row.items() if name in known})
        except (orjson.JSONDecodeError, TypeError, AttributeError) as error:
            raise ConfigurationError(f"{path}, line {number} is no label: {error}") from error


def _value(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
