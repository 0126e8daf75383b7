"""The transactional core as a mechanism on a real broker: once, in order, through aborts, poison and hand-over."""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest
from confluent_kafka import Producer
from tests.support.core_rig import PATIENT, Rig, wait_until
from tests.support.counting import CountingFold, Tally, expected_ids, payload

from snowshed.schemas.records import DeadLetter, JournalEntry, Notice
from snowshed.streams.broker import Broker, LocalKafka
from snowshed.streams.folding import Batch, Step
from snowshed.streams.transactions.context import LaneLimits
from snowshed.streams.transactions.events import AbortedBatch, NoWatcher
from snowshed.streams.transactions.judge import DirectJudge, JudgeUnavailable, Work
from snowshed.streams.transactions.protocol import Protocol

KEYS = tuple(f"key-{number}" for number in range(7))


@pytest.fixture
def rig(kafka: Broker, prefix: str) -> Rig:
    return Rig(kafka.bootstrap, prefix)


def numbered(start: int, stop: int) -> list[tuple[str, bytes | int]]:
    return [(KEYS[number % len(KEYS)], number) for number in range(start, stop)]


def by_key(start: int, stop: int) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for key, number in numbered(start, stop):
        assert isinstance(number, int)
        found.setdefault(key, []).append(number)
    return found


def assert_exactly_once(rig: Rig, expected: set[str], timeout: float = 30.0) -> None:
    notices = rig.read("notices", expect=len(expected), timeout=timeout)
    seen = Counter(notice.notice_id for notice in notices if isinstance(notice, Notice))
    assert {name for name, count in seen.items() if count > 1} == set(), "repeated"
    assert set(seen) == expected
    assert rig.fatal == []


@pytest.mark.parametrize("protocol", ["consumer", "classic"])
def test_every_record_is_folded_once_and_in_order(kafka: Broker, prefix: str, protocol: Protocol) -> None:
    rig = Rig(kafka.bootstrap, prefix, protocol=protocol)
    rig.feed(numbered(0, 500))
    with rig.core():
        rig.read_raw("notices", expect=500)
        rig.feed(numbered(500, 1_000))
        assert_exactly_once(rig, expected_ids(by_key(0, 1_000)))


def test_a_successor_goes_on_from_the_predecessors_state(rig: Rig) -> None:
    rig.feed(numbered(0, 300))
    with rig.core():
        rig.read_raw("notices", expect=300)
    rig.feed(numbered(300, 600))
    with rig.core():
        assert_exactly_once(rig, expected_ids(by_key(0, 600)))


def test_a_second_worker_takes_partitions_over_without_loss_or_repetition(rig: Rig) -> None:
    rig.feed(numbered(0, 400))
    with rig.core() as first:
        rig.read_raw("notices", expect=400)
        with rig.core() as second:
            wait_until(lambda: len(first.lanes) == len(second.lanes) == 1, what="the partitions are shared")
            wait_until(lambda: all(lane.opened for lane in first.lanes + second.lanes), what="lanes are open")
            rig.feed(numbered(400, 800))
            rig.read_raw("notices", expect=800)
        rig.feed(numbered(800, 1_000))
        assert_exactly_once(rig, expected_ids(by_key(0, 1_000)))


@pytest.mark.parametrize("protocol", ["consumer", "classic"])
def test_a_worker_is_ready_with_open_lanes_or_when_there_is_none_for_it(
    kafka: Broker, prefix: str, protocol: Protocol
) -> None:
    rig = Rig(kafka.bootstrap, prefix, partitions=1, protocol=protocol)
    with rig.core() as first:
        while not first.ready:  # without a pause: to be ready for a moment before the lanes are known is the fault
            pass
        assert [lane.opened for lane in first.lanes] == [True]
        with rig.core() as idle:
            wait_until(lambda: idle.ready, what="who has nothing to do is ready")
            assert (idle.lanes, first.ready) == ([], True)


class FlakyJudge(DirectJudge):
    """Breaks on every third piece of work, as an agent that restarts would."""

    def __init__(self) -> None:
        self.calls = 0

    def judge(self, work: Work) -> Step[Tally]:
        self.calls += 1
        if self.calls % 3 == 0:
            raise JudgeUnavailable("restarting")
        return super().judge(work)


def test_a_judge_that_breaks_costs_a_retry_and_nothing_else(rig: Rig) -> None:
    rig.feed(numbered(0, 200))
    judge = FlakyJudge()
    with rig.core(judge=judge, limits=LaneLimits(batch=10, tick=0.05)):
        assert_exactly_once(rig, expected_ids(by_key(0, 200)))
    assert judge.calls > 20


def test_a_record_that_the_fold_cannot_take_ends_alone_among_the_dead_letters(rig: Rig) -> None:
    poison = payload(-1, poison=True)
    rig.feed([*numbered(0, 150), (KEYS[3], poison), *numbered(150, 300)])
    with rig.core():
        assert_exactly_once(rig, expected_ids(by_key(0, 300)))
        [letter] = rig.read("dead-letters", expect=1)
    assert isinstance(letter, DeadLetter)
    assert (letter.value, letter.key, letter.error) == (poison, KEYS[3].encode(), "ValueError")
    assert "poisonous" in letter.reason


def test_undecodable_bytes_become_dead_letters_that_name_their_place(rig: Rig) -> None:
    rig.feed([*numbered(0, 50), (KEYS[0], b"\xff\x00 not ours"), *numbered(50, 100)])
    with rig.core():
        assert_exactly_once(rig, expected_ids(by_key(0, 100)))
        [letter] = rig.read("dead-letters", expect=1)
    assert isinstance(letter, DeadLetter)
    assert letter.value == b"\xff\x00 not ours"
    assert letter.reason.startswith(f"{letter.topic}[{letter.partition}]@{letter.offset}: ")


def test_a_record_as_large_as_a_broker_takes_still_fits_into_a_dead_letter(rig: Rig) -> None:
    big = secrets.token_bytes(1_048_000)
    rig.feed([(KEYS[0], big), *numbered(0, 10)])
    with rig.core():
        assert_exactly_once(rig, expected_ids(by_key(0, 10)))
        [letter] = rig.read("dead-letters", expect=1)
    assert isinstance(letter, DeadLetter)
    assert letter.value == big


def test_aborted_input_is_never_folded(rig: Rig) -> None:
    rig.feed(numbered(0, 20))
    producer = Producer({"bootstrap.servers": rig.bootstrap, "transactional.id": f"{rig.prefix}-aborter"})
    producer.init_transactions(15)
    producer.begin_transaction()
    producer.produce(rig.topics.full("heartbeats"), payload(999), KEYS[0])
    producer.flush(10)
    producer.abort_transaction(15)
    rig.feed(numbered(20, 40))
    with rig.core():
        assert_exactly_once(rig, expected_ids(by_key(0, 40)))


class OversizedFold(CountingFold):
    """Emits, for one number, more than is accepted in one record."""

    def __init__(self, size: int) -> None:
        self._size = size

    def step(self, state: Mapping[str, Tally], batch: Batch[tuple[tuple[str, int, bool], ...]]) -> Step[Tally]:
        step = super().step(state, batch)
        if any(number == 25 for _, number, _ in batch.records):
            big = step.emissions[0]
            notice = big.record
            assert isinstance(notice, Notice)
            huge = Notice(
                notice_id="huge",
                incident_id="",
                domain="",
                severity="",
                title="",
                text=secrets.token_hex(self._size // 2),
                issued_at=0.0,
            )
            return Step(step.changes, (*step.emissions, type(big)("notices", "huge", huge, "huge/1")))
        return step


@pytest.mark.parametrize("size", [1_500_000, 3_000_000], ids=["broker-refuses", "client-refuses"])
def test_an_output_that_is_too_large_buries_only_the_record_behind_it(rig: Rig, size: int) -> None:
    rig.feed([(KEYS[0], number) for number in range(50)])
    with rig.core(OversizedFold(size)):
        assert_exactly_once(rig, expected_ids({KEYS[0]: [number for number in range(50) if number != 25]}))
        [letter] = rig.read("dead-letters", expect=1)
    assert isinstance(letter, DeadLetter)
    assert letter.value == payload(25)


def test_the_journal_covers_the_input_without_gap_and_ends_at_the_committed_offsets(rig: Rig) -> None:
    rig.feed(numbered(0, 400))
    with rig.core(limits=LaneLimits(batch=37, tick=0.05)):
        rig.read_raw("notices", expect=400)
    entries = [entry for entry in rig.read("journal.heartbeats") if isinstance(entry, JournalEntry)]
    for partition, committed in rig.committed().items():
        own = [entry for entry in entries if entry.partition == partition]
        assert [entry.version for entry in own] == list(range(1, len(own) + 1))
        assert [entry.first_offset for entry in own] == [0, *(entry.next_offset for entry in own[:-1])]
        assert own[-1].next_offset == committed
        assert [entry.now for entry in own] == sorted(entry.now for entry in own)
    assert sum(entry.records for entry in entries) == 400


class Aborts(NoWatcher):
    def __init__(self) -> None:
        self.seen: list[AbortedBatch] = []

    def aborted(self, event: AbortedBatch) -> None:
        self.seen.append(event)


def test_a_slow_fold_pauses_its_partition_and_loses_nothing(rig: Rig) -> None:
    rig.feed(numbered(0, 5_000))
    aborts = Aborts()
    with rig.core(watcher=aborts, limits=LaneLimits(batch=100, buffer=200, tick=0.05)):
        assert_exactly_once(rig, expected_ids(by_key(0, 5_000)))
    assert aborts.seen == []


def test_a_worker_lives_through_the_sudden_death_of_its_broker(tmp_path: Path, prefix: str) -> None:
    with LocalKafka(tmp_path / "kafka") as broker:
        rig = Rig(broker.bootstrap, prefix)
        rig.feed(numbered(0, 200))
        with rig.core(limits=PATIENT):
            rig.read_raw("notices", expect=200)
            rig.feed(numbered(200, 5_000))
            broker.kill()
            broker.restart()
            # On a starved machine the group alone takes a while to come back.
            assert_exactly_once(rig, expected_ids(by_key(0, 5_000)), timeout=120)


def test_a_worker_stops_in_seconds_when_its_broker_has_gone(tmp_path: Path, prefix: str) -> None:
    with LocalKafka(tmp_path / "kafka") as broker:
        rig = Rig(broker.bootstrap, prefix)
        rig.feed(numbered(0, 200))
        with rig.core() as core:
            rig.read_raw("notices", expect=200)
            rig.feed(numbered(200, 5_000))
            broker.kill()
            started = time.monotonic()
            core.stop()
            assert time.monotonic() - started < 30
        assert rig.fatal == []
