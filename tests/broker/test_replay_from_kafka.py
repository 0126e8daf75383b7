"""Proving from Kafka that what stands on the topics followed from the input, and finding what did not."""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from tests.broker.test_core import OversizedFold
from tests.support.core_rig import Rig, wait_until
from tests.support.counting import CountingFold, Numbers, Tally, payload
from typer.testing import CliRunner, Result

from snowshed.schemas.codec import Codec
from snowshed.schemas.records import JournalEntry, Notice
from snowshed.schemas.topics import AGENTS, partition_for
from snowshed.streams.agents.folds import folds
from snowshed.streams.broker import Broker
from snowshed.streams.cli.app import build_app
from snowshed.streams.folding import Batch, Fold, Step
from snowshed.streams.policy import Policy
from snowshed.streams.replay import Recording, replay
from snowshed.streams.replay.capture import capture, captured_topics
from snowshed.streams.replay.differences import Difference, Kind
from snowshed.streams.replay.lane_proof import search_start
from snowshed.streams.replay.log import Record, open_log
from snowshed.streams.replay.proof import Proof, prove
from snowshed.streams.replay.starts import Checkpoint
from snowshed.streams.simulate import SCENARIOS
from snowshed.streams.simulate.scenarios import Timeline
from snowshed.streams.transactions.context import LaneLimits
from snowshed.streams.transactions.core import Core
from snowshed.streams.transactions.events import NoWatcher
from snowshed.streams.transactions.judge import DirectJudge, JudgeUnavailable, Work
from snowshed.streams.transactions.protocol import GroupSettings

KEYS = tuple(f"key-{number}" for number in range(7))
SMALL = LaneLimits(batch=20, tick=0.05, checkpoint=0)
OFTEN = replace(SMALL, checkpoint=0.4)


@pytest.fixture
def rig(kafka: Broker, prefix: str) -> Rig:
    return Rig(kafka.bootstrap, prefix)


def numbered(start: int, stop: int) -> list[tuple[str, bytes | int]]:
    return [(KEYS[number % len(KEYS)], number) for number in range(start, stop)]


def proof_of(rig: Rig, fold: Fold[Numbers, Tally] | None = None) -> Proof:
    return prove(rig.connection, rig.topics, {"heartbeats": fold or CountingFold()}, Codec())


class FlakyJudge(DirectJudge):
    """Breaks on every third piece of work."""

    calls = 0

    def judge(self, work: Work) -> Step[Tally]:
        self.calls += 1
        if self.calls % 3 == 0:
            raise JudgeUnavailable("restarting")
        return super().judge(work)


def test_a_run_with_hand_over_aborts_and_poison_is_proved(rig: Rig) -> None:
    rig.feed([*numbered(0, 200), (KEYS[3], payload(-1, poison=True)), (KEYS[0], b"\xff not ours"), *numbered(200, 300)])
    with rig.core(judge=FlakyJudge(), limits=SMALL) as first:
        rig.read_raw("notices", expect=300)
        with rig.core(limits=SMALL) as second:
            wait_until(lambda: len(first.lanes) == len(second.lanes) == 1, what="the partitions are shared")
            rig.feed(numbered(300, 600))
            rig.read_raw("notices", expect=600)
            assert proof_of(rig).differences == ()  # while workers run
    proof = proof_of(rig)
    assert proof.differences == ()
    assert proof.unproved == ()
    assert (proof.records, proof.outputs, proof.state_keys) == (602, 602, len(KEYS))
    assert proof.compacted == proof.expired == 0


def ran(rig: Rig, count: int = 200, limits: LaneLimits = SMALL) -> None:
    """Have a worker fold some input and stop."""
    rig.feed(numbered(0, count))
    with rig.core(limits=limits):
        rig.read_raw("notices", expect=count)


def ran_with_checkpoints(rig: Rig) -> None:
    """Have a worker write some checkpoints, and go on behind them."""
    with rig.core(limits=OFTEN):
        for number in range(8):
            rig.feed(numbered(40 * number, 40 * number + 40))
            rig.read_raw("notices", expect=40 * number + 40)
            time.sleep(0.25)  # the log's time is the wall clock's: periods have to pass


def write(rig: Rig, short: str, partition: int, key: str, record: Record) -> None:
    """Write a record that no worker wrote, or once more."""
    producer = Producer({"bootstrap.servers": rig.bootstrap})
    headers = cast("Any", [*record.headers])
    producer.produce(rig.topics.full(short), record.message.value, key, partition, headers=headers)
    assert producer.flush(10) == 0


def stored(rig: Rig, short: str, partition: int) -> list[Record]:
    with open_log(rig.connection, rig.topics) as log:
        return [*log.read_whole(short, partition, *log.bounds(short, partition))]


def first_difference(proof: Proof) -> Difference:
    assert proof.differing >= 1
    return proof.differences[0]


def place(difference: Difference) -> tuple[str, int, int, str]:
    return difference.topic, difference.topic_partition, difference.offset, difference.key


def test_a_state_record_that_somebody_wrote_is_found(rig: Rig) -> None:
    ran(rig)
    partition = partition_for(b"key-2", 2)
    [*_, last] = [record for record in stored(rig, "state.heartbeats", partition) if record.message.key == b"key-2"]
    assert last.message.value is not None
    count, checksum = json.loads(last.message.value)
    forged = last.message._replace(value=json.dumps([count, checksum + 1]).encode())
    write(rig, "state.heartbeats", partition, "key-2", Record(forged, ()))
    [forgery] = stored(rig, "state.heartbeats", partition)[-1:]
    proof = proof_of(rig)
    difference = first_difference(proof)
    assert (difference.kind, proof.differing) == (Kind.STATE, 1)
    assert place(difference) == ("state.heartbeats", partition, forgery.message.offset, "key-2")
    [field] = difference.fields
    assert (field.name, field.expected, field.found) == ("checksum", str(checksum), str(checksum + 1))


@pytest.mark.parametrize("source", ["", "/snowshed/heartbeats/0"])
def test_a_record_that_no_batch_explains_is_found(rig: Rig, source: str) -> None:
    ran(rig)
    record = stored(rig, "notices", 0)[0]
    headers = [(name, value) for name, value in record.headers if name not in {"ce_id", "ce_source", "ce_time"}]
    named = [("ce_id", b"0" * 32), ("ce_source", source.encode())] if source else []
    write(rig, "decisions", 1, "payments/retry", Record(record.message, (*headers, *named)))
    proof = proof_of(rig)
    difference = first_difference(proof)
    assert (difference.kind, proof.differing) == (Kind.UNEXPECTED, 1)
    assert place(difference) == ("decisions", 1, 0, "payments/retry")
    assert {field.expected for field in difference.fields} == {None}
    assert "notice_id" in {field.name for field in difference.fields}


def test_an_output_that_stands_there_twice_is_found(rig: Rig) -> None:
    ran(rig)
    record = stored(rig, "notices", 0)[3]
    write(rig, "notices", 0, (record.message.key or b"").decode(), record)
    proof = proof_of(rig)
    difference = first_difference(proof)
    assert (difference.kind, proof.differing) == (Kind.REPEATED, 1)
    assert difference.offset > record.message.offset


def rewritten(rig: Rig, short: str, partition: int, records: Sequence[Record]) -> None:
    """Put other records on a topic: it is deleted and made anew."""
    kept = {number: stored(rig, short, number) for number in range(rig.topics.partitions(short))}
    kept[partition] = [*records]
    client: Any = AdminClient({"bootstrap.servers": rig.bootstrap})
    name = rig.topics.full(short)
    client.delete_topics([name])[name].result(30)
    wait_until(lambda: name not in client.list_topics(timeout=10).topics, what="the topic is gone")
    rig.__post_init__()
    for number, ones in kept.items():
        for record in ones:
            write(rig, short, number, (record.message.key or b"").decode(), record)


def test_an_output_that_is_missing_is_found(rig: Rig) -> None:
    ran(rig, 60)
    [*records] = stored(rig, "notices", 1)
    gone = records.pop(5)
    rewritten(rig, "notices", 1, records)
    proof = proof_of(rig)
    difference = first_difference(proof)
    assert (difference.kind, proof.differing) == (Kind.MISSING, 1)
    assert place(difference) == ("notices", 1, -1, (gone.message.key or b"").decode())
    assert 0 <= difference.first_offset < difference.next_offset
    notice = Codec().decode(gone.message.value)
    assert isinstance(notice, Notice)
    assert [(field.expected, field.found) for field in difference.fields if field.name == "notice_id"] == [
        (notice.notice_id, None)
    ]


def test_an_output_that_was_changed_is_shown_with_the_fields_that_differ(rig: Rig) -> None:
    ran(rig, 60)
    [*records] = stored(rig, "notices", 0)
    notice = Codec().decode(records[4].message.value)
    assert isinstance(notice, Notice)
    changed = records[4].message._replace(value=Codec().encode(replace(notice, severity="page")))
    records[4] = records[4]._replace(message=changed)
    rewritten(rig, "notices", 0, records)
    proof = proof_of(rig)
    difference = first_difference(proof)
    assert (difference.kind, proof.differing) == (Kind.CHANGED, 1)
    assert [(field.name, field.expected, field.found) for field in difference.fields] == [("severity", "info", "page")]


class ChangedFold(CountingFold):
    """Judges one number otherwise."""

    def step(self, state: Mapping[str, Tally], batch: Batch[Numbers]) -> Step[Tally]:
        step = super().step(state, batch)
        return Step(
            step.changes,
            tuple(
                replace(emission, record=replace(notice, title="!")) if ":9:" in notice.notice_id else emission
                for emission in step.emissions
                if isinstance(notice := emission.record, Notice)
            ),
        )


def test_a_fold_that_judges_otherwise_is_found_at_its_first_judgement(rig: Rig) -> None:
    ran(rig)
    difference = first_difference(proof := proof_of(rig, ChangedFold()))
    assert difference.kind is Kind.CHANGED
    assert {one.kind for one in proof.differences} == {Kind.CHANGED, Kind.BATCH}
    assert [(field.name, field.expected, field.found) for field in difference.fields] == [("title", "!", "")]
    assert difference.at == min(one.at for one in proof.differences)


def cut_off(rig: Rig, short: str, partition: int, offset: int) -> None:
    """Have the broker remove what stands before an offset, as retention does."""
    client: Any = AdminClient({"bootstrap.servers": rig.bootstrap})
    for answer in client.delete_records([TopicPartition(rig.topics.full(short), partition, offset)]).values():
        answer.result(30)


def checkpoints(rig: Rig, partition: int) -> Sequence[Checkpoint]:
    with open_log(rig.connection, rig.topics) as log:
        return search_start(log, "heartbeats", partition, Codec()).checkpoints


def cut_heads(rig: Rig) -> None:
    """Remove journal and input up to the second checkpoint of each partition, and the first one's head."""
    for partition in range(rig.partitions):
        first, second, *_ = checkpoints(rig, partition)
        journal = stored(rig, "journal.heartbeats", partition)
        entries = {record.message.offset: Codec().decode(record.message.value) for record in journal}
        following = min(
            offset
            for offset, entry in entries.items()
            if isinstance(entry, JournalEntry) and entry.version > second.applied.version
        )
        cut_off(rig, "journal.heartbeats", partition, following)
        cut_off(rig, "heartbeats", partition, second.applied.next_offset)
        cut_off(rig, "checkpoint.heartbeats", partition, first.first + 1)


def test_a_proof_begins_at_a_checkpoint_once_the_log_has_lost_its_head(rig: Rig) -> None:
    ran_with_checkpoints(rig)
    whole = proof_of(rig)
    assert (whole.differences, whole.unproved) == ((), ())
    assert all(lane.checkpoints >= 2 and not lane.from_checkpoint for lane in whole.lanes)
    cut_heads(rig)
    proof = proof_of(rig)
    assert (proof.differences, proof.unproved) == ((), ())
    assert all(lane.from_checkpoint and lane.batches > 0 for lane in proof.lanes)
    assert 0 < proof.records < whole.records == 320
    assert proof.state_keys == len(KEYS)


def test_a_recording_of_a_log_without_its_head_is_replayed_from_a_checkpoint(rig: Rig) -> None:
    ran_with_checkpoints(rig)
    cut_heads(rig)
    partitions = {short: rig.topics.partitions(short) for short in captured_topics()}
    recording = Recording(partitions, tuple(capture(rig.connection, rig.topics)))
    result = replay(recording, {"heartbeats": CountingFold()}, rig.topics, Codec())
    assert (result.differences, result.unproved) == ((), ())
    assert result.verified == result.batches > 0
    without = tuple(record for record in recording.records if not record.topic.startswith("checkpoint."))
    result = replay(Recording(partitions, without), {"heartbeats": CountingFold()}, rig.topics, Codec())
    assert len(result.unproved) == 2
    assert result.batches == 0


def test_without_a_checkpoint_it_says_since_when_a_proof_will_be_possible(rig: Rig) -> None:
    started = time.time()
    ran(rig)
    cut_off(rig, "journal.heartbeats", 0, 2)
    proof = proof_of(rig)
    assert proof.differences == ()
    [unproved] = proof.unproved
    assert (unproved.agent, unproved.partition) == ("heartbeats", 0)
    assert "no complete checkpoint" in unproved.reason
    assert unproved.provable_from is not None
    assert started < unproved.provable_from < time.time() + 900
    assert [lane.partition for lane in proof.lanes] == [1]


def test_a_record_whose_output_the_broker_refused_is_no_difference(rig: Rig) -> None:
    rig.feed([(KEYS[0], number) for number in range(50)])
    fold = OversizedFold(1_500_000)
    with rig.core(fold, limits=SMALL):
        rig.read_raw("dead-letters", expect=1)
        rig.read_raw("notices", expect=49)
    proof = proof_of(rig, fold)
    assert proof.differences == ()
    assert sum(lane.refused for lane in proof.lanes) == 1


# Snowshed's own folds, and the command


@contextmanager
def worker(rig: Rig) -> Generator[Core]:
    core = Core(
        connection=rig.connection,
        topics=rig.topics,
        codec=Codec(),
        group=GroupSettings(rig.prefix, "consumer", 6.0),
        folds=folds(Policy(), Codec()),
        judge=DirectJudge(),
        watcher=NoWatcher(),
        limits=LaneLimits(checkpoint=2.0),
        fatal=rig.fatal.append,
    )
    core.start()
    try:
        yield core
    finally:
        core.stop()


def play(rig: Rig) -> None:
    """A short retry storm in real time."""
    scenario = replace(SCENARIOS["retry-storm"], timeline=Timeline(calm=4.0, trouble=4.0, recovery=1.0))
    producer, codec = Producer({"bootstrap.servers": rig.bootstrap, "partitioner": "murmur2_random"}), Codec()
    for event in scenario.events(1, start=time.time()):
        time.sleep(max(0.0, event.at - time.time()))
        producer.produce(rig.topics.full(event.topic), codec.encode(event.record), event.key)
        producer.poll(0)
    assert producer.flush(10) == 0


def command(rig: Rig, *words: str) -> Result:
    line = ("replay", "--from-kafka", "--bootstrap", rig.bootstrap, "--prefix", rig.prefix, *words)
    return CliRunner().invoke(build_app(line), line)


def test_the_command_proves_what_snowsheds_own_folds_came_to_and_shows_what_was_forged(rig: Rig) -> None:
    with worker(rig):
        play(rig)
        proof = prove(rig.connection, rig.topics, folds(Policy(), Codec()), Codec())
    assert (proof.differences, proof.unproved) == ((), ())
    assert {lane.agent for lane in proof.lanes} == set(AGENTS) - {"markers"}
    assert any(lane.checkpoints for lane in proof.lanes)
    result = command(rig)
    assert result.exit_code == 0
    assert result.stdout.startswith("Proved: from ")
    assert f"{len(proof.lanes)} partitions" in result.stdout
    observed = [*stored(rig, "observations", 0), *stored(rig, "observations", 1)]
    write(rig, "decisions", 0, "forged", observed[0]._replace(headers=()))
    result = command(rig, "--json", "--agent", "domain")
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert {lane["agent"] for lane in told["lanes"]} == {"domain"}
    assert (told["differing"], told["differences"][0]["key"]) == (1, "forged")
    result = command(rig)
    assert result.exit_code == 1
    assert "FIRST DIFFERENCE, unexpected output: it names no agent of ours" in result.stdout
    assert "decisions[0]" in result.stdout
