from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from random import Random

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.records import any_record
from tests.unit.streams.web.fleet import closed, decision, delivery, edge, fleet, incident, lag, lifted, node

from snowshed.consumers import Delivery
from snowshed.schemas.records import Consistency, ConsistencyMode, DecisionKind, Lag, Liveness, NodeHealth
from snowshed.streams.web.world import CLOSED_INCIDENTS, FORGOTTEN_AFTER, SECTIONS, STALE_AFTER, World

NOW = 1_800_000_000.0


def world_of(*deliveries: Delivery) -> World:
    world = World()
    for one in deliveries:
        world.apply(one)
    return world


def rows(world: World, now: float = NOW) -> dict[str, object]:
    table: dict[str, object] = orjson.loads(orjson.dumps(world.view().snapshot(now)))
    return table


def told(*records: object) -> World:
    return world_of(*(delivery(record, offset) for offset, record in enumerate(records)))  # type: ignore[arg-type]


def test_a_fleet_is_shown_by_section() -> None:
    view = told(*fleet(NOW)).view().snapshot(NOW)
    assert [len(view[section]) for section in SECTIONS.values()] == [19, 11, 2, 0, 3, 3, 2]
    assert view["detector"] == {"lag": 0.02, "observed_at": NOW}


def test_unknown_numbers_are_null_for_a_browser() -> None:
    shown = rows(told(node("db-1", "db", NOW, cpu=float("nan"))))
    assert shown["nodes"][0]["cpu"] is None  # type: ignore[index]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3), st.integers(0, 3)), max_size=30), st.randoms())
def test_deliveries_of_different_keys_may_come_in_any_order(
    changes: list[tuple[str, int, int]], random: Random
) -> None:
    log = [delivery(replace(decision(NOW, epoch=e, seq=s), scope=scope), i) for i, (scope, e, s) in enumerate(changes)]
    by_key = {key: list(run) for key, run in groupby(sorted(log, key=lambda d: d.key), key=lambda d: d.key)}
    interleaved: list[Delivery] = []
    while by_key:
        key = random.choice(sorted(by_key))
        interleaved.append(by_key[key].pop(0))
        if not by_key[key]:
            del by_key[key]
    assert rows(world_of(*log)) == rows(world_of(*interleaved))


@given(st.permutations([(e, s) for e in range(3) for s in range(3)]))
def test_an_older_decision_never_replaces_a_newer_one(order: list[tuple[int, int]]) -> None:
    world, best = World(), (-1, -1)
    for place in order:
        changed = world.apply(delivery(decision(NOW, epoch=place[0], seq=place[1])))
        assert changed == (place > best)
        best = max(best, place)
        (held,) = world.view().snapshot(NOW)["decisions"]
        assert (held["epoch"], held["seq"]) == best


@given(st.permutations(range(70)))
def test_the_newest_closed_incidents_are_kept_in_whatever_order_they_come(order: list[int]) -> None:
    world = told(*(closed(incident(NOW, f"i-{i}"), NOW + i) for i in order))
    kept = [row["incident_id"] for row in world.view().snapshot(NOW)["incidents"]]
    assert kept == [f"i-{i}" for i in range(69, 69 - CLOSED_INCIDENTS, -1)]


@given(st.lists(any_record(), max_size=8))
def test_any_record_on_the_topics_can_be_shown(records: list[object]) -> None:
    world = world_of(*(Delivery("t", 0, i, 0.0, str(i % 3), record) for i, record in enumerate(records)))  # type: ignore[arg-type]
    orjson.dumps(world.view().snapshot(NOW), option=orjson.OPT_PASSTHROUGH_DATETIME)


def test_open_incidents_stand_before_closed_ones_and_the_newest_first() -> None:
    old, new = replace(incident(NOW, "old"), opened_at=NOW - 90), replace(incident(NOW, "new"), opened_at=NOW - 5)
    ended = closed(incident(NOW, "ended"), NOW)
    shown = told(ended, old, new).view().snapshot(NOW)["incidents"]
    assert [row["incident_id"] for row in shown] == ["new", "old", "ended"]


def test_a_repeated_record_changes_nothing() -> None:
    world = told(incident(NOW), decision(NOW))
    before = world.revision
    assert not world.apply(delivery(incident(NOW), 9))
    assert not world.apply(delivery(decision(NOW), 9))
    assert world.revision == before


def test_an_older_observation_does_not_replace_a_newer_one() -> None:
    world = told(node("a", "s", NOW), node("a", "s", NOW - 1, Liveness.DEAD))
    assert world.view().of(NodeHealth)[0].status is Liveness.ALIVE


def test_a_tombstone_removes_and_only_its_own_section_changes() -> None:
    world = told(lag("r1", NOW, 0.1, 0.2), node("a", "s", NOW))
    before = world.view().revisions
    assert world.apply(Delivery("snowshed.lag", 0, 5, NOW, "orders/r1", None))
    after = world.view().revisions
    assert world.view().of(Lag) == []
    assert [section for section in before if before[section] != after[section]] == ["lag"]
    assert not world.apply(Delivery("snowshed.lag", 0, 6, NOW, "orders/r1", None))


def test_a_view_does_not_change_while_the_world_goes_on() -> None:
    world = told(node("a", "s", NOW))
    view = world.view()
    world.apply(delivery(node("b", "s", NOW)))
    assert len(view.of(NodeHealth)) == 1


def test_a_decision_is_shown_until_it_has_relaxed() -> None:
    world = told(decision(NOW))
    remaining = [[row["remaining"] for row in world.view().snapshot(NOW + age)["decisions"]] for age in (4, 12, 20)]
    assert remaining == [[6.0], [0.0], []]


def test_a_lifted_decision_is_gone_and_cannot_come_back() -> None:
    taken = decision(NOW)
    world = told(taken, lifted(taken, NOW + 1), taken)
    assert world.view().snapshot(NOW + 1)["decisions"] == []


def test_a_fence_outlives_its_ttl() -> None:
    fence = replace(decision(NOW), kind=DecisionKind.CONSISTENCY, consistency=Consistency(mode=ConsistencyMode.FENCE))
    assert len(told(fence).view().snapshot(NOW + 1000)["decisions"]) == 1


@pytest.mark.parametrize(("age", "stale"), [(STALE_AFTER, False), (STALE_AFTER + 0.1, True)])
def test_what_was_not_observed_lately_is_marked(age: float, stale: bool) -> None:
    view = told(node("a", "s", NOW), edge("a", "b", NOW), lag("r1", NOW, 0, 1)).view().snapshot(NOW + age)
    assert [row["stale"] for section in ("nodes", "edges", "lag") for row in view[section]] == [stale] * 3
    assert (view["detector"]["lag"] is None) == stale


def test_a_node_that_left_is_not_stale_and_is_forgotten_in_time() -> None:
    world = told(node("a", "s", NOW, Liveness.LEFT))
    (row,) = world.view().snapshot(NOW + 60)["nodes"]
    assert not row["stale"]
    assert world.view().snapshot(NOW + FORGOTTEN_AFTER + 1)["nodes"] == []


def test_decisions_are_found_by_their_incident_and_by_name() -> None:
    named = replace(decision(NOW - 1, incident_id=""), scope="cart", decision_id="x")
    cause = replace(incident(NOW), decisions=("x",))
    view = told(decision(NOW), named, cause, replace(decision(NOW, incident_id="other"), scope="z")).view()
    assert [taken.scope for taken in view.decisions_of(cause)] == ["cart", "payments"]
    assert view.incident("nobody") is None
