"""The page has a word for whatever a record may say."""

from __future__ import annotations

from enum import Enum
from pathlib import Path

import pytest

import snowshed.streams.web
from snowshed.schemas.records import DecisionKind, EdgeStatus, IncidentKind, LagStatus, Liveness, ServiceStatus

STATIC = Path(snowshed.streams.web.__file__).with_name("static")


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        ("format.js", Liveness),
        ("format.js", EdgeStatus),
        ("format.js", ServiceStatus),
        ("format.js", LagStatus),
        ("format.js", IncidentKind),
        ("decisions.js", DecisionKind),
    ],
)
def test_every_value_has_a_word(script: str, kind: type[Enum]) -> None:
    text = (STATIC / script).read_text()
    assert [value.value for value in kind if f"\n  {value.value}: " not in text] == []
