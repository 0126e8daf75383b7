"""Where the keys of a TOML document stand."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from snowshed.schemas.toml_positions import Path, Position, nearest, positions

_NAMES = st.text("abz-_9", min_size=1, max_size=4) | st.sampled_from(["a.b", "x y", "[q]", "a=b", "#h"])
_VALUES = st.recursive(
    st.sampled_from(["1", "true", '"s # = ]"', "'lit, }'", '"""two\nlines = [x]"""', "-2.5e3"]),
    lambda inner: st.lists(inner, max_size=3).map(lambda items: "[" + ", ".join(items) + "]"),
    max_leaves=4,
)
_TABLES = st.dictionaries(_NAMES, st.dictionaries(_NAMES, _VALUES, max_size=3), max_size=3)
_HEADERS = st.lists(st.sampled_from(["[[a]]", "[[a.b]]", "[[a.b.c]]", "[a.b.d]", "[[ x . a ]]", "[x.a.t]"]), max_size=9)


def _quoted(name: str) -> str:
    return name if all(letter.isalnum() or letter in "-_" for letter in name) else f'"{name}"'


@given(_TABLES)
def test_every_key_of_any_document_is_found_where_it_is_written(tables: Mapping[str, Mapping[str, str]]) -> None:
    lines: list[str] = []
    for table, pairs in tables.items():
        lines.append(f"[{_quoted(table)}] # [not] = this")
        lines += [f"  {_quoted(key)}  = {value}" for key, value in pairs.items()]
    text = "\n".join(lines)
    found = positions(text)
    rows = text.split("\n")
    for table, pairs in tomllib.loads(text).items():
        for key in cast("Mapping[str, object]", pairs):
            place = found[table, key]
            assert rows[place.line - 1][place.column - 1 :].startswith(_quoted(key))


@given(_HEADERS)
def test_tables_in_lists_of_tables_are_found_by_their_numbers(headers: Sequence[str]) -> None:
    number = count()
    text = "\n".join(f"{header}\nkey = {next(number)}" for header in headers)
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError:  # one that is defined twice, or inside a list that has no table yet
        return
    found, rows = positions(text), text.split("\n")
    for path, value in _integers(table, ()):
        place = found[path]
        assert rows[place.line - 1] == f"key = {value}"


def _integers(value: object, path: Path) -> Iterator[tuple[Path, int]]:
    if isinstance(value, int):
        yield path, value
    elif isinstance(value, list):
        for number, item in enumerate(cast("Sequence[object]", value)):
            yield from _integers(item, (*path, f"[{number}]"))
    else:
        for key, item in cast("Mapping[str, object]", value).items():
            yield from _integers(item, (*path, key))


def test_what_is_missing_is_where_its_table_is() -> None:
    found = positions("a = 1\n[[runs]]\n[[runs]]\n  [[runs.steps]]\n  do = 'x'\n")
    assert found["runs", "[1]", "steps", "[0]", "do"] == Position(5, 3)
    assert nearest(("runs", "[1]", "steps", "[0]", "with"), found) == Position(4, 5)
    assert nearest(("runs", "[1]", "name"), found) == Position(3, 3)
    assert nearest(("runs", "[0]", "name"), found) == Position(2, 3)
    assert nearest(("b",), found) is None
