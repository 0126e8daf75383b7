"""Folding journalled batches again: what equals the journal, what does not, and what was set aside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from tests.support.counting import CountingFold, Numbers, Tally, payload
from tests.unit.streams.replay.lanes import Night, fresh_lane, messages

from snowshed.schemas.codec import Codec
from snowshed.schemas.records import JournalEntry
from snowshed.schemas.topics import Topics
from snowshed.streams.folding import Batch, Step
from snowshed.streams.replay.expectations import expectations
from snowshed.streams.replay.refold import Inputs, refold

POISON = payload(-1, poison=True)


@pytest.fixture
def night() -> Night:
    """Three batches; the second is the poison record alone, as a live lane narrows it down."""
    records = messages([1, 2, 3, POISON, 4, b"not ours", 5])
    return Night([records[:3], records[3:4], records[4:]])


def reasons(night: Night, entries: list[JournalEntry]) -> list[str]:
    inputs = Inputs([one for batch in night.batches for one in batch])
    return [refolded.reason for refolded in refold(fresh_lane(), entries, inputs)]


def test_batches_with_poison_and_unreadable_records_come_out_as_they_were(night: Night) -> None:
    refolded = [*night.refolded()]
    assert [(one.reason, one.records) for one in refolded] == [("", 3), ("", 1), ("", 3)]
    letters = [letter for one in refolded if one.outcome for letter in one.outcome.letters]
    assert [(letter.offset, letter.error) for letter in letters] == [(3, "ValueError"), (5, "SchemaMismatch")]


def test_a_fold_that_fails_on_a_run_of_records_buries_none_of_them(night: Night) -> None:
    first, second, third = night.entries
    merged = replace(third, version=2, first_offset=second.first_offset, records=4)
    assert reasons(night, [first, merged]) == ["", "the fold fails: ValueError: number -1 is poisonous"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"records": 4}, "3 records, while the journal says 4"),
        ({"emissions": 2}, "3 outputs, while the journal says 2"),
        ({"dead_letters": 1}, "0 dead letters, while the journal says 1"),
        ({"digest": 1}, "the outputs have another digest than the journal says"),
        ({"now": 103.0}, "the outputs have another digest than the journal says"),
        ({"first_offset": 1, "records": 2}, "1 records before offset 1 of heartbeats were never folded"),
    ],
)
def test_each_thing_that_the_journal_tells_is_compared(night: Night, change: Mapping[str, int], reason: str) -> None:
    entry = replace(night.entries[0], **change)  # type: ignore[arg-type]
    assert reasons(night, [entry]) == [reason]


class Unwilling(CountingFold):
    """Would have given too much for the broker to take."""

    def step(self, state: Mapping[str, Tally], batch: Batch[Numbers]) -> Step[Tally]:
        if any(poison for _, _, poison in batch.records):
            return Step({"key-1": Tally(99, 99)})
        return super().step(state, batch)


def test_a_record_that_the_live_run_set_aside_though_it_folds_was_refused_by_the_broker(night: Night) -> None:
    refolded = [*night.refolded(Unwilling())]
    assert [one.refused for one in refolded] == [False, True, False]
    assert [one.reason for one in refolded] == ["", "", ""]


def test_expected_outputs_name_their_places(night: Night) -> None:
    expected = [
        one
        for refolded in night.refolded()
        for one in expectations(refolded, Codec(), Topics(), {"notices": 4, "dead-letters": 4})
    ]
    found = [(topic, partition, record.message.key) for topic, partition, record in night.outputs]
    assert [(one.topic, one.topic_partition, one.key) for one in expected] == found
    assert len({one.event_id for one in expected}) == len(expected) == 7
