"""Scenarios are deterministic, ordered, and bring about the incident that they are named after, and no other."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from itertools import islice, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.records import same

from snowshed.schemas.codec import Codec
from snowshed.schemas.records import Heartbeat, IncidentKind, IncidentStatus, Marker, NodeStatus, TimingBatch
from snowshed.schemas.topics import Topics
from snowshed.streams.agents.folds import folds
from snowshed.streams.policy import Policy
from snowshed.streams.replay import read_recording, replay
from snowshed.streams.simulate import SCENARIOS, Event, Scenario, Timeline, record_scenario

START = 1_790_000_000.0
KINDS = {
    "retry-storm": IncidentKind.RETRY_AMPLIFICATION,
    "replica-lag": IncidentKind.REPLICA_LAG,
    "node-failure": IncidentKind.NODE_FAILED,
    "overload": IncidentKind.OVERLOAD,
}
short = Timeline(calm=2.0, trouble=3.0, recovery=2.0)
scenarios = st.sampled_from(list(SCENARIOS.values())).map(lambda scenario: replace(scenario, timeline=short))


def events(scenario: Scenario, seed: int) -> list[Event]:
    return list(scenario.events(seed, start=START))


@settings(max_examples=15)
@given(scenarios, st.integers())
def test_the_same_seed_gives_the_same_events_and_another_seed_others(scenario: Scenario, seed: int) -> None:
    first = events(scenario, seed)
    assert same(first, events(scenario, seed))
    assert not same(first, events(scenario, seed + 1))


@settings(max_examples=15)
@given(scenarios, st.integers())
def test_events_come_in_the_order_of_their_times_and_inside_the_timeline(scenario: Scenario, seed: int) -> None:
    times = [event.at for event in events(scenario, seed)]
    assert times == sorted(times)
    assert times[0] >= START
    assert times[-1] <= START + short.total


@settings(max_examples=10)
@given(scenarios, st.integers())
def test_every_record_can_be_written_and_is_keyed_as_its_topic_wants(scenario: Scenario, seed: int) -> None:
    codec = Codec()
    for event in events(scenario, seed):
        record = event.record
        assert codec.decode(codec.encode(record)) is not None
        match record:
            case Heartbeat():
                assert (event.topic, event.key) == ("heartbeats", record.node)
            case TimingBatch():
                assert (event.topic, event.key) == ("timings", record.callee)
            case Marker():
                assert (event.topic, event.key) == ("markers", record.dataset)
            case _:
                pytest.fail(f"a producer does not send {type(record).__name__}")


@settings(max_examples=10)
@given(scenarios, st.integers())
def test_a_nodes_clocks_and_counters_advance_and_its_last_word_is_that_it_leaves(scenario: Scenario, seed: int) -> None:
    beats: defaultdict[str, list[Heartbeat]] = defaultdict(list)
    for event in events(scenario, seed):
        if isinstance(event.record, Heartbeat):
            beats[event.record.node].append(event.record)
    for node, own in beats.items():
        assert own[-1].status is NodeStatus.LEAVING, node
        for before, after in pairwise(own):
            assert after.sent_at > before.sent_at
            again = after.seq == 0
            assert again or (after.seq, after.monotonic > before.monotonic) == (before.seq + 1, True)


def test_a_stream_of_events_is_made_as_it_is_read() -> None:
    endless = SCENARIOS["retry-storm"].lasting(1e9)
    assert len(list(islice(endless.events(1), 100))) == 100


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_scenario_opens_its_incident_in_the_trouble_and_closes_it_in_the_recovery(
    name: str, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    scenario, path = SCENARIOS[name], tmp_path_factory.mktemp("recording") / "run.jsonl"
    record_scenario(path, scenario.events(seed, start=START), partitions=2)
    result = replay(read_recording(path), folds(Policy(), Codec()), Topics(), Codec())
    [incident] = (one for one in result.incidents if not one.part_of)
    assert incident.kind is KINDS[name]
    calm = START + scenario.timeline.calm
    assert calm < incident.opened_at < calm + 5.0
    assert incident.status is IncidentStatus.CLOSED
    assert incident.closed_at is not None
    assert incident.closed_at > calm + scenario.timeline.trouble
    assert result.dead_letters == ()
