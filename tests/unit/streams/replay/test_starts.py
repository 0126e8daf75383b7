"""Where the replay of a partition can begin."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from snowshed.schemas.records import JournalEntry
from snowshed.streams.folding import Message
from snowshed.streams.replay.starts import Checkpoint, Start, StartSearch, complete_checkpoints, state_of
from snowshed.streams.transactions.checkpoint import CheckpointMark
from snowshed.streams.transactions.journal import APPLIED_KEY, Applied


def entry(version: int, records: int = 10) -> JournalEntry:
    """The journal of a log in which every batch has ten records."""
    return JournalEntry(
        agent="heartbeats",
        topic="snowshed.heartbeats",
        partition=0,
        version=version,
        first_offset=10 * (version - 1),
        next_offset=10 * (version - 1) + records,
        records=records,
        now=100.0 + version,
        caught_up=True,
        detector_lag=0.0,
        dead_letters=0,
        emissions=0,
        digest=0,
    )


def checkpoint(version: int) -> Checkpoint:
    return Checkpoint(Applied(10 * version, version, 100.0 + version), 100 * version, 100 * version + 9)


def searched(versions: Iterable[int], checkpoints: Sequence[int] = (), input_low: int = 0) -> StartSearch:
    """A search through a journal whose entry of version n stands at offset 2n."""
    search = StartSearch([checkpoint(version) for version in checkpoints], input_low)
    for version in versions:
        search.note(entry(version), 2 * version)
    return search


def test_a_whole_log_is_folded_from_its_first_batch() -> None:
    assert searched(range(1, 9), [3, 6]).found(Applied(), 0) == Start(None, 2, 101.0)


def test_a_journal_without_its_head_is_folded_from_the_oldest_checkpoint_that_it_follows() -> None:
    assert searched(range(5, 9), [3, 6, 7]).found(Applied(), 0) == Start(checkpoint(6), 13, 106.0)


def test_a_checkpoint_right_before_the_journals_first_entry_will_do() -> None:
    assert searched(range(5, 9), [2, 4, 6]).found(Applied(), 0) == Start(checkpoint(4), 10, 104.0)


def test_an_input_without_its_head_is_folded_from_the_oldest_checkpoint_behind_which_it_is_whole() -> None:
    assert searched(range(1, 9), [3, 6], input_low=31).found(Applied(), 0) == Start(checkpoint(6), 13, 106.0)
    assert searched(range(1, 9), [3, 6], input_low=30).found(Applied(), 0) == Start(checkpoint(3), 7, 103.0)


def test_an_input_that_workers_first_met_without_its_head_is_whole() -> None:
    search = StartSearch([], 10)
    search.note(replace(entry(2), version=1), 2)
    assert search.found(Applied(), 0) is not None


def test_without_a_checkpoint_a_journal_without_its_head_cannot_be_folded() -> None:
    search = searched(range(5, 9), [2])
    assert search.found(Applied(), 0) is None
    unproved = search.unproved("heartbeats", 0)
    assert "begins at version 5" in unproved.reason
    assert unproved.provable_from is not None
    assert 108.0 < unproved.provable_from <= 1_008.0


def test_a_checkpoint_of_an_earlier_life_is_not_taken_for_one_of_this() -> None:
    search = StartSearch([Checkpoint(Applied(9_999, 4, 5_000.0), 0, 3)], 0)
    for version in range(5, 9):
        search.note(entry(version), 2 * version)
    assert search.found(Applied(), 0) is None


def test_versions_that_begin_anew_are_a_new_life() -> None:
    search = searched([7, 8, 1, 2])
    assert search.found(Applied(), 0) == Start(None, 2, 101.0)
    assert search.flaws == []


def test_a_gap_and_a_repetition_in_the_journal_are_flaws() -> None:
    gap = searched([1, 2, 5, 6], [5])
    assert [(flaw.entry.version, flaw.offset) for flaw in gap.flaws] == [(5, 10)]
    assert gap.found(Applied(), 0) == Start(checkpoint(5), 11, 105.0)
    repeated = searched([1, 2, 2, 3])
    assert [flaw.entry.version for flaw in repeated.flaws] == [2]
    assert repeated.found(Applied(), 0) == Start(None, 2, 101.0)


def test_an_idle_partition_is_where_its_newest_checkpoint_left_it() -> None:
    applied = checkpoint(6).applied
    assert searched([], [3, 6]).found(applied, 44) == Start(checkpoint(6), 44, 106.0)
    assert searched([], [3]).found(applied, 44) is None


def reset_at(version: int) -> Checkpoint:
    """What `snowshed reset` writes: an empty checkpoint that no journalled batch belongs to."""
    return Checkpoint(Applied(10 * version, version, 100.0 + version), 500, 501)


def test_a_reset_is_no_gap_and_a_replay_begins_behind_it() -> None:
    search = StartSearch([checkpoint(2), reset_at(4)], 0)
    for version in (1, 2, 3, 5, 6):
        search.note(entry(version), 2 * version)
    assert search.flaws == []
    assert search.found(Applied(), 0) == Start(reset_at(4), 10, 104.0)


def test_a_reset_behind_the_last_batch_leaves_nothing_to_fold() -> None:
    search = StartSearch([reset_at(4)], 0)
    for version in (1, 2, 3):
        search.note(entry(version), 2 * version)
    assert search.found(reset_at(4).applied, 77) == Start(reset_at(4), 77, 104.0)


def written(offset: int, keys: Sequence[bytes], version: int, told: int | None = None) -> list[Message]:
    """A checkpoint whose mark tells of `told` keys."""
    values = [Message(offset + number, 0.0, key, b"v%d" % version) for number, key in enumerate(keys)]
    mark = CheckpointMark(Applied(1, version, 1.0), len(keys) if told is None else told)
    return [*values, Message(offset + len(keys), 0.0, APPLIED_KEY, mark.dump())]


def test_a_checkpoint_whose_head_has_expired_is_recognised() -> None:
    records = [*written(5, [b"b"], 1, told=2), *written(10, [b"a", b"b"], 2), *written(20, [], 3)]
    found = [*complete_checkpoints(records)]
    assert [(one.applied.version, one.first, one.end) for one in found] == [(2, 10, 13), (3, 20, 21)]
    assert state_of(records[2:5]) == {"a": b"v2", "b": b"v2"}
