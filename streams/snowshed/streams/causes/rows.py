"""Lines of JSON as rows, and which of them are none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, cast

import orjson

__all__ = ["CONTRACT", "BadLine", "Rows"]

CONTRACT = "docs/howto-causes.md describes the lines"


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that says nothing, because it keeps not to the contract."""

    where: str
    """The stream and the number of the line."""
    reason: str

    def __str__(self) -> str:
        return f"{self.where} {self.reason}"


class Rows:
    """The rows of a stream, as far as they are rows, and where each stands."""

    def __init__(self, lines: Iterable[bytes], name: str, leave_out: Callable[[BadLine], None]) -> None:
        self._lines, self._name, self._leave_out = enumerate(lines, 1), name, leave_out
        self._number = 0
        self._ahead: dict[str, Any] | None = None

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return self

    def __next__(self) -> dict[str, Any]:
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            return ahead
        for number, line in self._lines:
            self._number = number
            if not line.strip():
                continue
            try:
                row: object = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                self.leave_out(f"is no JSON: {error}")
                continue
            if isinstance(row, dict) and isinstance(cast("dict[str, Any]", row).get("kind"), str):
                return cast("dict[str, Any]", row)
            self.leave_out("has no kind")
        raise StopIteration

    def put_back(self, row: dict[str, Any]) -> None:
        """The newest row comes once more."""
        self._ahead = row

    def leave_out(self, reason: str) -> None:
        """The newest row says nothing."""
        self._leave_out(BadLine(f"{self._name}, line {self._number}", reason))
