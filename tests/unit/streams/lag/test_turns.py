"""Looks at groups whose reporter's clock is set: nothing old is believed, and nothing new is ignored for long."""

from __future__ import annotations

import pytest
from tests.unit.streams.lag.test_marker_fold import START, Pair, lags
from tests.unit.streams.lag.test_published import Partition, answers_of, look_at

from snowshed.schemas.records import LagStatus
from snowshed.streams.lag.turns import Look, Turn, turn

_OFF = pytest.mark.parametrize("off", [2.0, -2.0, 30.0, -30.0, 3600.0, -3600.0])
_SET = 40


@pytest.mark.parametrize(
    ("at", "appended", "expected"),
    [
        (101.0, 101.1, Turn.NEXT),
        (101.0, 125.0, Turn.NEXT),
        (120.0, 101.1, Turn.NEXT),
        (100.0, 100.5, Turn.OVERTAKEN),
        (99.0, 101.9, Turn.OVERTAKEN),
        (99.0, 102.1, Turn.ANEW),
        (132.0, 101.1, Turn.ANEW),
        (3700.0, 101.1, Turn.ANEW),
        (3700.0, 3700.1, Turn.NEXT),
    ],
)
def test_what_is_late_or_repeated_is_told_from_a_clock_that_was_set(at: float, appended: float, expected: Turn) -> None:
    assert turn(Look(100.0, 100.1), Look(at, appended), 1.0) is expected


@_OFF
def test_a_quorum_is_not_lost_from_sight_because_its_reporters_clock_was_set(off: float) -> None:
    partition, seen = Partition(), list[LagStatus]()
    for number in range(80):
        at = START + number
        _, record = answers_of(at + (off if number >= _SET else 0.0), "leader", "voter", "voter")
        seen += [one.status for one in lags(partition.step(at + 0.01, [(at, record)]), "quorum")]
    assert set(seen) == {LagStatus.FRESH}
    assert len(seen) > 70


@_OFF
def test_a_group_has_stopped_when_it_stops_and_not_when_its_reporters_clock_is_set(off: float) -> None:
    pair, partition, conditions = Pair(), Partition(), list[tuple[float, str]]()
    for number in range(120):
        at = START + number
        pair.applied = at
        committed = 100.0 * min(number, 60) - 50.0 * (min(number, 60) % 2)
        look = look_at(at + (off if number >= _SET else 0.0), committed, 100.0 * number, owned=0.0)[1]
        markers = [pair.source(at), pair.replica(at), (at + 0.002, look)]
        conditions += [(number, one.condition) for one in lags(partition.step(at + 0.01, markers))]
    assert {said for at, said in conditions if 1 < at < 62} == {"ok"}
    assert conditions[-1][1] == "stop"
