"""A recording without a journal: each level takes a change of the policy where it stands in its input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from tests.unit.streams.test_governed import START, change

from snowshed.schemas.codec import Codec
from snowshed.schemas.records import IncidentKind
from snowshed.schemas.topics import AGENTS, Topics
from snowshed.streams.agents.folds import folds
from snowshed.streams.folding import Batch, Message
from snowshed.streams.policy import Policy
from snowshed.streams.replay import Recorded, Recording, ReplayResult, read_recording, replay
from snowshed.streams.replay.offline import Lanes, Unfoldable
from snowshed.streams.simulate import SCENARIOS, record_scenario

_CODEC = Codec()
_PARTITIONS = 2


@pytest.fixture(scope="module")
def storm(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    path = tmp_path_factory.mktemp("recording") / "storm.jsonl"
    record_scenario(path, SCENARIOS["retry-storm"].events(1, start=START), partitions=_PARTITIONS)
    return read_recording(path)


def changed(recording: Recording, text: str, topics: Sequence[str]) -> Recording:
    """The recording with a change of the policy on these topics, three seconds after its beginning."""
    value = _CODEC.encode(change(1, text))
    records = [
        replace(record, message=record.message._replace(offset=2 * record.message.offset))
        for record in recording.records
    ]
    for topic in topics:
        for partition in range(_PARTITIONS):
            before = [
                record.message.offset
                for record in records
                if (record.topic, record.partition) == (topic, partition) and record.message.timestamp <= START + 3
            ]
            message = Message(max(before, default=-2) + 1, START + 3, b"default", value)
            records.append(Recorded(topic, partition, message))
    return Recording({**recording.partitions, "observations": _PARTITIONS}, tuple(records))


def folded(recording: Recording) -> ReplayResult:
    result = replay(recording, folds(Policy(), _CODEC), Topics(), _CODEC)
    assert result.dead_letters == ()
    return result


def test_level_2_judges_by_a_change_among_the_observations(storm: Recording) -> None:
    lenient = changed(storm, "[retry]\nact = 99\ncertain = 99\n", ["observations"])
    assert [one.kind for one in folded(storm).incidents if not one.part_of] == [IncidentKind.RETRY_AMPLIFICATION]
    assert IncidentKind.RETRY_AMPLIFICATION not in {one.kind for one in folded(lenient).incidents}


def test_level_1_judges_by_a_change_in_its_inputs(storm: Recording) -> None:
    moved = changed(storm, 'default_domain = "moved"\n', [*AGENTS.values()])
    [incident] = (one for one in folded(moved).incidents if not one.part_of)
    assert incident.domain == "moved"


def test_a_batch_that_reaches_over_a_change_is_no_batch_of_a_worker(storm: Recording) -> None:
    lane = Lanes(folds(Policy(), _CODEC), Topics(), _CODEC).fresh("timings", 0)
    messages = [one.message for one in changed(storm, "", ["timings"]).of("timings") if one.partition == 0][:400]
    frame: Batch[None] = Batch(0, 0, messages[-1].offset + 1, 1, START + 9, True, 0.0, None)
    with pytest.raises(Unfoldable, match="begins a batch of its own"):
        lane.judged(messages, frame)
