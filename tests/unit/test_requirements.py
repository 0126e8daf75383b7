"""The locked requirements, which are installed one after another into the same environment."""

from __future__ import annotations

import re
from pathlib import Path

_FOLDER = Path(__file__).parents[2] / "requirements"
_PINNED = re.compile(r"^([\w.\[\],-]+)==([^ ;\\]+)", re.MULTILINE)


def pinned(name: str) -> dict[str, str]:
    return {found[1].lower(): found[2] for found in _PINNED.finditer((_FOLDER / f"{name}.txt").read_text("utf-8"))}


def test_what_runs_and_what_is_developed_with_agree_on_every_version() -> None:
    run, dev = pinned("run"), pinned("dev")
    assert len(run) > 50
    assert {name: (run[name], dev.get(name)) for name in run if run[name] != dev.get(name)} == {}
