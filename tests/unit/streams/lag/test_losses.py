"""Markers that never came: they are counted and told, and what is not known for them is not claimed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest
from tests.unit.streams.lag.test_marker_fold import START, Pair, Partition, lags

from snowshed.schemas.records import Lag, LagStatus, Marker
from snowshed.streams.lag.losses import Losses, gapped, looked
from snowshed.streams.lag.world import newly_lost

Lossy = Callable[[float, str, Random], bool]


def play(
    lossy: Lossy, *, end: int = 300, behind: Callable[[float], float] = lambda at: 0.35 + 0.0 * at, told: bool = True
) -> list[Lag]:
    """What is said of a replica, some of whose markers or of its source's are lost; their reporters count them."""
    pair, partition, rng = Pair(), Partition(round_trip=True), Random(3)
    dropped, seen = {"w": 0.0, "r": 0.0}, list[Lag]()
    for tick in range(1, end * 10):
        at = START + tick / 10
        pair.applied = at - behind(tick / 10)
        due = [("w", pair.source(at))] if tick % 2 == 0 else []
        due += [("r", pair.replica(at))] if tick % 5 == 0 else []
        came: list[tuple[float, Marker]] = []
        for who, (appended, marker) in due:
            if lossy(tick / 10, who, rng):
                dropped[who] += 1.0
            else:
                came.append((appended, replace(marker, lost=dropped[who] if told else 0.0)))
        seen += lags(partition.step(at + 0.01, came))
    return seen


def looks(share: float) -> Lossy:
    return lambda _at, who, rng: who == "r" and rng.random() < share


def rows(begin: float, end: float) -> Lossy:
    return lambda at, who, _rng: who == "w" and begin < at < end


@pytest.mark.parametrize("share", [0.2, 0.4])
def test_looks_that_are_lost_do_not_make_writes_seem_later_than_they_are_visible(share: float) -> None:
    sound, lossy, untold = play(looks(0.0))[-1], play(looks(share))[-1], play(looks(share), told=False)[-1]
    assert (lossy.t50, lossy.t99) == (sound.t50, sound.t99)
    assert lossy.censored_share is not None
    assert lossy.censored_share > 0.1
    assert sound.t99 is not None
    assert untold.t99 is not None
    assert untold.t99 > 1.5 * sound.t99, "where nobody says that looks are lost, a late one is one"


def test_a_replica_that_hangs_while_its_sources_markers_are_lost_is_not_said_to_show_writes_soon() -> None:
    def hangs(at: float) -> float:
        return max(0.35, at - 100.0)

    known = play(rows(0.0, 0.0), behind=hangs)[-1]
    assert (known.status, known.t99) == (LagStatus.BEHIND, None)
    lost = play(rows(100.0, 400.0), behind=hangs)[-1]
    assert lost.status is LagStatus.UNKNOWN
    assert (lost.pairs, lost.censored_share, lost.t50, lost.t99, lost.stale_share) == (None,) * 5


def test_once_rows_come_again_those_that_were_lost_count_with_what_they_took() -> None:
    def hung(at: float) -> float:
        return max(0.35, at - 100.0) if at < 160.0 else 0.35

    sound, lost = play(rows(0.0, 0.0), behind=hung)[-1], play(rows(100.0, 160.0), behind=hung)[-1]
    assert lost.t50 == pytest.approx(sound.t50, rel=0.05)
    assert lost.t99 == pytest.approx(sound.t99, rel=0.05)
    assert lost.pairs == pytest.approx(sound.pairs, abs=2)


def test_whose_markers_were_lost_is_told_for_a_minute() -> None:
    seen = play(lambda at, who, _rng: 100.0 < at < 101.0 if who == "r" else 110.0 < at < 110.5, end=200)
    notes = list(dict.fromkeys(one.note for one in seen))
    assert notes == [
        "",
        "1 markers of r1 were lost of late",
        "1 markers of r1 and 2 markers of pg-main were lost of late",
        "2 markers of pg-main were lost of late",
    ]
    assert seen[-1].note == ""
    assert {one.status for one in seen} == {LagStatus.FRESH}


def test_a_missing_look_is_lost_as_far_as_its_reporter_dropped_something_within_a_minute() -> None:
    held = looked(Losses(dropped=4.0), 4.0, 3.0, 1.0, START)
    assert (held.owed, held.lost) == (2.0, 0.0)
    assert looked(held, 9.0, 1.0, 1.0, START + 30.0).lost == 2.0
    assert looked(held, 5.0, 1.0, 1.0, START + 30.0).lost == 1.0
    assert looked(held, 9.0, 1.0, 1.0, START + 60.0).lost == 0.0
    assert looked(held, 1.0, 3.0, 1.0, START + 1.0) == Losses(dropped=1.0, missed=START)
    assert looked(held, 9.0, -500.0, 1.0, START + 1.0).lost == 0.0, "another boot, or another reporter"
    assert looked(held, 9.0, 1.0, 0.0, START + 1.0).lost == 2.0


def test_a_number_that_a_source_leaves_out_is_a_lost_marker() -> None:
    held = gapped(Losses(), 3.0, START)
    assert (held.lost, held.total, held.recent(START + 59.0), held.recent(START + 60.0)) == (3.0, 3.0, 3.0, 0.0)
    assert gapped(held, 0.0, START + 1.0) is held
    assert gapped(held, -900.0, START + 1.0) is held
    later = gapped(held, 1.0, START + 300.0)
    assert (later.lost, later.total) == (1.0, 4.0)


def test_what_is_newly_lost_is_given_to_the_metrics_once() -> None:
    pair, partition = Pair(), Partition()
    partition.step(START + 1.0, [pair.source(START + 1.0)])
    before = dict(partition.state)
    partition.step(START + 2.0, [pair.source(START + 2.0)])
    assert newly_lost(before, partition.state) == 4.0
    assert partition.lost == 4.0
    partition.step(START + 2.2, [pair.source(START + 2.2)])
    assert partition.lost == 0.0
