"""A single node that reaches nobody, told apart from a service that fails all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import pytest
from tests.unit.streams.edges.test_timing_fold import START, Partition, observations, report

from snowshed.schemas.records import EdgeObservations, TimingBatch, Vantage

_NODES = ("web-1", "web-2", "web-3")


def batches(ok: Mapping[str, float], calls: float = 20.0) -> list[TimingBatch]:
    """A report of each node, of which so many calls succeeded; all of them where it is not named."""
    return [report(reporter=node, first=calls, ok=ok.get(node, calls)) for node in _NODES]


def named(records: Iterable[EdgeObservations]) -> list[tuple[str, str, str, float]]:
    """Node, caller, callee and calls of every node that is told to be cut off."""
    return [
        (
            record.strings[int(node)],
            record.strings[int(record.caller[int(edge)])],
            record.strings[int(record.callee[int(edge)])],
            calls,
        )
        for record in records
        for edge, node, calls in zip(record.cut_edge, record.cut_node, record.cut_calls, strict=True)
    ]


def run(partition: Partition, begin: int, end: int, ok: Mapping[str, float], calls: float = 20.0) -> list[list[str]]:
    """By second, the nodes that are told to be cut off."""
    return [
        [node for node, *_ in named(observations(partition.step(START + at, batches(ok, calls))))]
        for at in range(begin, end)
    ]


def test_a_node_none_of_whose_calls_succeed_is_named_after_two_reports_until_one_does() -> None:
    partition = Partition(round_trip=True)
    assert run(partition, 0, 5, {}) == [[]] * 5
    assert run(partition, 5, 9, {"web-2": 0.0}) == [[], ["web-2"], ["web-2"], ["web-2"]]
    assert run(partition, 9, 11, {"web-2": 1.0}) == [[], []]
    assert not partition.state["api"].mute


def test_the_node_stands_beside_its_edge_with_its_calls() -> None:
    partition = Partition()
    both = [*batches({"web-3": 0.0}), report("shop", reporter="shop-1")]
    found = [named(observations(partition.step(START + at, both))) for at in range(3)]
    assert found[2] == [("web-3", "web", "api", 60.0)]


@pytest.mark.parametrize(
    ("ok", "why"),
    [
        ({"web-1": 0.0, "web-2": 0.0, "web-3": 0.0}, "nobody is answered: it is the callee, or the link"),
        ({"web-1": 0.0, "web-2": 1.0, "web-3": 1.0}, "its siblings fare so badly that it may be chance"),
        ({"web-1": 1.0}, "one call succeeded"),
    ],
)
def test_what_may_be_the_callees_doing_names_nobody(ok: Mapping[str, float], why: str) -> None:
    assert run(Partition(), 0, 6, ok, calls=8.0) == [[]] * 6, why


def test_a_node_of_few_calls_is_named_once_it_has_made_enough() -> None:
    assert run(Partition(), 0, 6, {"web-1": 0.0}, calls=3.0) == [[], [], [], ["web-1"], ["web-1"], ["web-1"]]


def test_a_node_whose_brake_refuses_all_calls_stays_named() -> None:
    partition = Partition()
    run(partition, 0, 3, {"web-1": 0.0})
    own = report(reporter="web-1", ok=0.0)
    refused = replace(own, rejected=own.attempts, timeout=(0.0,))
    for at in range(3, 9):
        told = observations(partition.step(START + at, [refused, *batches({})[1:]]))
        assert [node for node, *_ in named(told)] == ["web-1"]


def test_a_node_that_reports_no_more_is_forgotten() -> None:
    partition = Partition()
    run(partition, 0, 3, {"web-1": 0.0})
    found = [observations(partition.step(START + at, batches({})[1:])) for at in range(3, 8)]
    assert [bool(named(records)) for records in found] == [True, True, True, False, False]
    partition.step(START + 20.0)
    assert not partition.state["api"].mute


def test_who_reports_an_outage_of_all_sooner_than_others_is_not_named() -> None:
    partition = Partition()
    for at in (0.0, 1.0):
        partition.step(START + at, batches({}))
    told: list[EdgeObservations] = []
    for at in (1.25, 1.5, 1.75):
        hurried = report(reporter="web-1", first=20.0, ok=0.0, window=0.25, urgent=True)
        told += observations(partition.step(START + at, [hurried]))
    told += observations(partition.step(START + 2.0, [hurried, *batches({"web-3": 10.0})[1:]]))
    nobody: dict[str, float] = {"web-1": 0.0, "web-2": 0.0, "web-3": 0.0}
    for at in range(3, 8):
        told += observations(partition.step(START + at, batches(nobody)))
    told += observations(partition.step(START + 8.0, batches({})[1:]))
    assert not named(told)


def unheeded(records: Iterable[EdgeObservations]) -> list[tuple[str, float]]:
    """Caller and calls of every row in which calls of mute nodes are told."""
    return [
        (record.strings[int(record.caller[int(edge)])], calls)
        for record in records
        for edge, calls in zip(record.mute_edge, record.mute_calls, strict=True)
    ]


def test_the_calls_of_a_node_without_a_success_are_told_from_its_first_report_on_window_by_window() -> None:
    partition = Partition(round_trip=True)
    both = [*batches({"web-3": 0.0}), report("shop", reporter="shop-1")]
    told = [unheeded(observations(partition.step(START + at, both))) for at in range(3)]
    assert told == [[], [("web", 40.0)], [("web", 20.0)]]
    assert unheeded(observations(partition.step(START + 3.0, batches({})))) == []


@pytest.mark.parametrize(
    ("ok", "why"),
    [
        ({"web-1": 0.0, "web-2": 0.0}, "most nodes fail: it is the callee, or the link"),
        ({"web-1": 0.0, "web-2": 0.0, "web-3": 0.0}, "nobody is answered"),
        ({"web-1": 1.0}, "one call succeeded"),
    ],
)
def test_calls_of_most_of_the_nodes_are_heeded(ok: Mapping[str, float], why: str) -> None:
    partition = Partition()
    told = [unheeded(observations(partition.step(START + at, batches(ok)))) for at in range(4)]
    assert told == [[]] * 4, why


def test_what_the_callee_serves_says_nothing_of_nodes() -> None:
    partition = Partition()
    served = report(reporter="api-1", vantage=Vantage.CALLEE, ok=0.0)
    told: list[EdgeObservations] = []
    for at in range(5):
        told += observations(partition.step(START + at, [served, *batches({"web-1": 0.0})]))
    assert {node for node, *_ in named(told)} == {"web-1"}
