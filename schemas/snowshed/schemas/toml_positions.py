"""Where each key of a TOML document stands, so that an error can name its line.

The standard library's parser keeps no positions. This reads only where keys are, of a document that it has accepted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["Path", "Position", "located", "nearest", "positions"]

Path = tuple[str, ...]
"""A key from the outermost table inwards; an entry of a list is `[0]`, `[1]` and so on."""

_SPACE = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BLANK = re.compile(r"[ \t]*")
_KEY = re.compile(r"""[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'""")
_STRING = re.compile(r'''"""(?:[^\\]|\\.)*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:[^"\\\n]|\\.)*"|'[^'\n]*\'''', re.DOTALL)
_ATOM = re.compile(r"[^,\]}#\n]+")


class Position(NamedTuple):
    """A place in a text, both counted from 1."""

    line: int
    column: int


def positions(text: str) -> Mapping[Path, Position]:
    """The position of every table, key and list entry of a valid TOML document."""
    return _Scan(text).document()


def nearest(path: Path, places: Mapping[Path, Position]) -> Position | None:
    """Where a key stands or, if it is missing, the table that lacks it; None when no such table is there either."""
    return next((places[path[:end]] for end in range(len(path), 0, -1) if path[:end] in places), None)


def located(name: str, at: Position | None) -> str:
    """A file's name with a position in it, as compilers write it; the name alone without one."""
    return name if at is None else f"{name}:{at.line}:{at.column}"


class _Scan:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._found: dict[Path, Position] = {}
        self._lists: dict[Path, int] = {}

    def document(self) -> Mapping[Path, Position]:
        table: Path = ()
        while self._skip(_SPACE) < len(self._text):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)
        return self._found

    def _skip(self, pattern: re.Pattern[str]) -> int:
        match = pattern.match(self._text, self._at)
        self._at = match.end() if match else self._at
        return self._at

    def _header(self) -> Path:
        several = self._text.startswith("[[", self._at)
        self._at += 1 + several
        start = self._at
        path = self._keys(())
        self._at = self._text.index("]", self._at) + 1 + several
        if several:
            number = self._lists[path] = self._lists.get(path, -1) + 1
            path = (*path, f"[{number}]")
            self._note(path, start)
        return path

    def _keys(self, table: Path) -> Path:
        """A dotted key; each of its parts is where it is written first."""
        path = table
        while True:
            self._skip(_BLANK)
            match = _KEY.match(self._text, self._at)
            if match is None:
                return path
            path = (*path, _plain(match[0]))
            self._note(path, self._at)
            self._at = match.end()
            self._skip(_BLANK)
            if not self._text.startswith(".", self._at):
                return path
            self._at += 1
            if path in self._lists:  # what is inside a list of tables belongs to the last of them so far
                path = (*path, f"[{self._lists[path]}]")

    def _note(self, path: Path, at: int) -> None:
        line = self._text.count("\n", 0, at) + 1
        column = at - (self._text.rfind("\n", 0, at) + 1) + 1
        self._found.setdefault(path, Position(line, column))

    def _pair(self, table: Path) -> None:
        path = self._keys(table)
        self._at = self._text.index("=", self._at) + 1
        self._skip(_BLANK)
        self._value(path)

    def _value(self, path: Path) -> None:
        opening = self._text[self._at]
        if opening == "[":
            self._entries(path)
        elif opening == "{":
            self._inline(path)
        elif opening in "\"'":
            self._skip(_STRING)
        else:
            self._skip(_ATOM)

    def _entries(self, path: Path) -> None:
        self._at += 1
        number = 0
        while self._text[self._skip(_SPACE)] != "]":
            if self._text[self._at] == ",":
                self._at += 1
                continue
            self._note((*path, f"[{number}]"), self._at)
            self._value((*path, f"[{number}]"))
            number += 1
        self._at += 1

    def _inline(self, path: Path) -> None:
        self._at += 1
        while self._text[self._skip(_SPACE)] != "}":
            if self._text[self._at] == ",":
                self._at += 1
                continue
            self._pair(path)
        self._at += 1


def _plain(key: str) -> str:
    return key[1:-1] if key[0] in "\"'" else key
