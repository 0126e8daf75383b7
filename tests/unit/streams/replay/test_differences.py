"""Which fields differ, and which difference comes first."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan
from typing import NamedTuple

from snowshed.streams.replay.differences import Difference, FieldDifference, Findings, Kind, compared


class Point(NamedTuple):
    x: int
    y: float


@dataclass(frozen=True)
class Shape:
    name: str
    centre: Point
    corners: tuple[Point, ...] = ()
    tag: bytes | None = None


def test_only_fields_that_differ_are_named_by_their_paths() -> None:
    one = Shape("square", Point(1, 2.0), (Point(0, 0.0), Point(1, 1.0)))
    other = Shape("square", Point(1, 2.5), (Point(0, 0.0),), b"\xff")
    assert compared(one, other) == (
        FieldDifference("centre.y", "2.0", "2.5"),
        FieldDifference("corners[1].x", "1", None),
        FieldDifference("corners[1].y", "1.0", None),
        FieldDifference("tag", "None", "\\xff"),
    )


def test_two_numbers_that_are_unknown_are_equal() -> None:
    assert compared(Point(1, nan), Point(1, nan)) == ()


def test_a_value_that_is_not_there_differs_in_every_field() -> None:
    assert compared(Point(1, 2.0), None) == (FieldDifference("x", "1", None), FieldDifference("y", "2.0", None))
    assert compared(None, b"raw") == (FieldDifference("value", None, "raw"),)


def difference(at: float, kind: Kind = Kind.BATCH, version: int = 1) -> Difference:
    return Difference(kind=kind, agent="domain", partition=0, version=version, at=at, reason="")


def test_the_earliest_come_first_and_an_output_before_the_digest_of_its_batch() -> None:
    findings = Findings()
    for one in (difference(3.0), difference(2.0), difference(2.0, Kind.CHANGED), difference(2.5, Kind.STATE)):
        findings.add(one)
    assert [(one.at, one.kind) for one in findings.kept] == [
        (2.0, Kind.CHANGED),
        (2.0, Kind.BATCH),
        (2.5, Kind.STATE),
        (3.0, Kind.BATCH),
    ]


def test_only_so_many_are_kept_but_all_are_counted() -> None:
    findings, others = Findings(limit=2), Findings(limit=1)
    for version in range(5, 0, -1):
        findings.add(difference(float(version), version=version))
    others.add(difference(0.5))
    others.add(difference(9.0))
    findings.merge(others)
    assert [one.at for one in findings.kept] == [0.5, 1.0]
    assert findings.count == 7
