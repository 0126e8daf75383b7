"""Records that cannot be used: each ends as exactly one letter, complete or cut, and the partition goes on."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._resource import ResourceType
from tests.support.core_rig import Rig, wait_until
from tests.support.counting import CountingFold, Tally, expected_ids, payload

from snowshed.schemas.codec import Codec
from snowshed.schemas.errors import SnowshedError
from snowshed.schemas.records import DeadLetter, JournalEntry, Notice
from snowshed.schemas.topics import partition_for
from snowshed.streams.broker import Broker
from snowshed.streams.dead_letters.book import LETTER
from snowshed.streams.dead_letters.retrying import Outcome, Retrying
from snowshed.streams.folding import Batch, Step
from snowshed.streams.transactions.journal import digest

HEADERS: list[tuple[str, str | bytes | None]] = [("trace", b"\x00\xff"), ("tenant", b"acme"), ("trace", b"again")]
CUT = 64 * 1024


@pytest.fixture
def rig(kafka: Broker, prefix: str) -> Rig:
    return Rig(kafka.bootstrap, prefix, partitions=1)


def accept(rig: Rig, short: str, size: int) -> None:
    """Let a topic take records of this size and no larger ones."""
    entry = ConfigEntry("max.message.bytes", str(size), incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, rig.topics.full(short), incremental_configs=[entry])
    admin = AdminClient({"bootstrap.servers": rig.bootstrap})
    settle(admin.incremental_alter_configs([resource]))
    asked = ConfigResource(ResourceType.TOPIC, rig.topics.full(short))
    wait_until(
        lambda: settle(admin.describe_configs([asked]))["max.message.bytes"].value == str(size),
        what=f"{short} takes {size} bytes",
    )


def settle(answers: Any) -> Any:
    """The answer to the one thing that a broker was asked."""
    [answer] = answers.values()
    return answer.result(20)


def feed(rig: Rig, *records: tuple[str, bytes]) -> None:
    """Write input records that carry headers, each as soon as the topic takes one of its size."""
    settings = {"bootstrap.servers": rig.bootstrap, "message.max.bytes": 20_000_000, "partitioner": "murmur2_random"}
    producer = Producer(settings)
    for key, value in records:
        wait_until(lambda key=key, value=value: delivered(rig, producer, key, value), what="the record is taken")  # type: ignore[misc]


def delivered(rig: Rig, producer: Producer, key: str, value: bytes) -> bool:
    failures: list[Any] = []
    producer.produce(
        rig.topics.full("heartbeats"),
        value,
        key,
        headers=HEADERS,
        on_delivery=lambda error, _: failures.append(error) if error else None,
    )
    assert producer.flush(30) == 0
    return not failures


class Records:
    """What stands on a topic of one partition, committed or not."""

    def __init__(self, rig: Rig, short: str, isolation: str = "read_committed") -> None:
        settings = {"bootstrap.servers": rig.bootstrap, "group.id": f"{rig.prefix}-look", "isolation.level": isolation}
        consumer = Consumer({**settings, "enable.partition.eof": True, "auto.offset.reset": "earliest"})
        consumer.assign([TopicPartition(rig.topics.full(short), number, 0) for number in range(rig.partitions)])
        self.found: list[tuple[int, bytes | None, bytes | None, list[tuple[str, bytes | None]]]] = []
        ends = 0
        while ends < rig.partitions:
            message = consumer.poll(10)
            assert message is not None
            if message.error() is None:
                headers = cast("list[tuple[str, bytes | None]]", message.headers() or [])
                self.found.append((message.partition() or 0, message.key(), message.value(), headers))
            else:
                ends += 1
        consumer.close()

    def retried(self, letter_id: str) -> list[tuple[int, bytes | None, bytes | None, list[tuple[str, bytes | None]]]]:
        """Those that a retry of this letter put back."""
        return [record for record in self.found if (LETTER, letter_id.encode()) in record[3]]


def cli(rig: Rig, *words: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("SNOWSHED_")}
    done = subprocess.run(
        [sys.executable, "-m", "snowshed.streams.cli", "dead-letters", *words],
        env=own | {"SNOWSHED_BOOTSTRAP": rig.bootstrap, "SNOWSHED_PREFIX": rig.prefix},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == expect, done.stdout + done.stderr
    return done


def cli_json(rig: Rig, *words: str, expect: int = 0) -> Any:
    return json.loads(cli(rig, *words, "--json", expect=expect).stdout)


def letter_id(letter: DeadLetter) -> str:
    return f"{letter.topic}-{letter.partition}-{letter.offset}"


def letters(rig: Rig, expect: int = 1) -> list[DeadLetter]:
    return [letter for letter in rig.read("dead-letters", expect=expect) if isinstance(letter, DeadLetter)]


def notices(rig: Rig, numbers: Mapping[str, list[int]]) -> None:
    """Check that exactly these numbers were folded."""
    expected = expected_ids(numbers)
    found = [notice.notice_id for notice in rig.read("notices", expect=len(expected)) if isinstance(notice, Notice)]
    assert sorted(found) == sorted(expected)
    assert rig.fatal == []


def large(size: int, *, poison: bool) -> bytes:
    """A record of about this size, hard to compress, that the counting fold cannot read or cannot take."""
    if not poison:
        return secrets.token_bytes(size)
    return payload(7, poison=True)[:-1] + b', "rest": "' + secrets.token_hex(size // 2).encode() + b'"}'


@pytest.mark.parametrize("poison", [False, True], ids=["unreadable", "breaks-the-fold"])
@pytest.mark.parametrize(
    ("size", "taken"), [(5_000_000, 2_097_152), (900_000, 300_000)], ids=["client-refuses", "broker-refuses"]
)
def test_a_record_too_large_for_a_letter_ends_as_one_that_is_cut(rig: Rig, poison: bool, size: int, taken: int) -> None:
    accept(rig, "heartbeats", 10_000_000)
    accept(rig, "dead-letters", taken)
    big = large(size, poison=poison)
    feed(rig, ("a", payload(1)), ("a", big), ("a", payload(2)))
    with rig.core():
        notices(rig, {"a": [1, 2]})
        [letter] = letters(rig)
    assert letter.cut
    assert (letter.value_size, letter.value) == (len(big), big[:CUT])
    assert letter.error == ("ValueError" if poison else "SchemaMismatch")
    assert list(zip(letter.header_names, letter.header_values, strict=True)) == HEADERS


@pytest.mark.parametrize("taken", [2_097_152, 300_000], ids=["whole", "cut"])
def test_the_journals_digest_is_that_of_the_letter_a_replay_makes(rig: Rig, taken: int) -> None:
    """A recording has no headers, and its topics refuse nothing."""
    accept(rig, "dead-letters", taken)
    bad = large(900_000, poison=False)
    [letter] = buried(rig, ("a", bad))
    assert letter.cut is (taken < len(bad))
    plain = replace(letter, value=bad, header_names=(), header_values=())
    [entry] = [one for one in rig.read("journal.heartbeats") if isinstance(one, JournalEntry) and one.dead_letters]
    assert entry.digest == digest([(letter_id(letter).encode(), Codec().encode(plain))])


def test_a_letter_has_its_records_headers_and_stands_in_the_transaction_of_its_offset(rig: Rig) -> None:
    bad = b"\xff not ours"
    feed(rig, ("a", payload(1)), ("a", bad), ("a", payload(2)))
    with rig.core():
        notices(rig, {"a": [1, 2]})
        [letter] = letters(rig)
    assert list(zip(letter.header_names, letter.header_values, strict=True)) == HEADERS
    assert (letter.key, letter.value, letter.value_size, letter.cut) == (b"a", bad, len(bad), False)
    journal = [entry for entry in rig.read("journal.heartbeats") if isinstance(entry, JournalEntry)]
    [batch] = [entry for entry in journal if entry.dead_letters]
    assert batch.first_offset <= letter.offset < batch.next_offset <= rig.committed()[0]


class HugeFold(CountingFold):
    """Emits, for the number 25, a notice that the broker refuses."""

    def step(self, state: Mapping[str, Tally], batch: Batch[Any]) -> Step[Tally]:
        step = super().step(state, batch)
        if all(number != 25 for _, number, _ in batch.records):
            return step
        first = step.emissions[0]
        huge = replace(cast("Notice", first.record), text=secrets.token_hex(750_000))
        return Step(step.changes, (*step.emissions, replace(first, record=huge)))


def test_letters_of_batches_that_were_undone_are_never_seen(rig: Rig) -> None:
    """Each try of a batch writes the letter of its unreadable record, and the broker refuses another output.

    An abort may throw a letter away before it is sent, so there are several tries: a batch is halved down to one.
    """
    numbers = [*range(1, 25), *range(26, 40)]
    feed(rig, ("a", b"\xff"), ("a", payload(25)), *(("a", payload(number)) for number in numbers))
    with rig.core(HugeFold()):
        notices(rig, {"a": numbers})
        assert len(letters(rig, expect=2)) == 2
    assert len(Records(rig, "dead-letters", "read_uncommitted").found) > 2
    assert len(Records(rig, "dead-letters").found) == 2


def buried(rig: Rig, *records: tuple[str, bytes]) -> list[DeadLetter]:
    """Letters of these records."""
    feed(rig, *records)
    with rig.core():
        return letters(rig, expect=len(records))


def test_letters_are_listed_filtered_and_shown(rig: Rig, tmp_path: Path) -> None:
    unreadable, poisonous = buried(rig, ("a", b"\xff\x00 not ours"), ("b", payload(3, poison=True)))
    listed = cli_json(rig, "list")
    assert [entry["id"] for entry in listed["letters"]] == [letter_id(unreadable), letter_id(poisonous)]
    assert (listed["hidden"], listed["foreign"]) == (0, 0)
    only = cli_json(rig, "list", "--error", "valueerror", "--topic", "heartbeats", "--since", "1h")["letters"]
    assert [entry["id"] for entry in only] == [letter_id(poisonous)]
    assert cli_json(rig, "list", "--topic", "markers")["letters"] == []
    text = cli(rig, "list").stdout
    assert letter_id(unreadable) in text
    assert "SchemaMismatch" in text
    file = tmp_path / "value"
    shown = cli(rig, "show", letter_id(unreadable), "--out", str(file))
    assert file.read_bytes() == b"\xff\x00 not ours"
    for part in ("ff 00 20 6e", "header    tenant: acme", "header    trace: 00 ff", "[0]@0", "not JSON"):
        assert part in shown.stdout
    assert '"number": 3' in cli(rig, "show", letter_id(poisonous)).stdout
    assert "there is no letter 'x'" in cli(rig, "show", "x", expect=1).stderr


def test_commands_say_what_to_do_without_the_topic(kafka: Broker, prefix: str) -> None:
    nothing = Rig.__new__(Rig)
    nothing.bootstrap, nothing.prefix = kafka.bootstrap, prefix
    for words in (["list"], ["show", "x"], ["retry", "--all-matching"]):
        assert "snowshed topics --create" in cli(nothing, *words, expect=1).stderr


class MendedFold(CountingFold):
    """The counting fold after somebody took the poison out of it."""

    def step(self, state: Mapping[str, Tally], batch: Batch[Any]) -> Step[Tally]:
        records = tuple((key, number, False) for key, number, _ in batch.records)
        return super().step(state, replace(batch, records=records))


def test_a_retried_record_is_folded_once_the_rule_is_mended(kafka: Broker, prefix: str) -> None:
    rig = Rig(kafka.bootstrap, prefix, partitions=3)
    key = "key-1"
    [letter] = buried(rig, (key, payload(3, poison=True)))
    name = letter_id(letter)
    rehearsed = cli_json(rig, "retry", name, "--dry-run")["letters"]
    assert rehearsed == [{"id": name, "put": f"{letter.topic}[{letter.partition}]", "refused": ""}]
    assert Records(rig, "heartbeats").retried(name) == []
    [outcome] = cli_json(rig, "retry", name)["letters"]
    [(partition, put_key, value, headers)] = Records(rig, "heartbeats").retried(name)
    assert outcome["put"] == f"{letter.topic}[{partition}]"
    assert partition == letter.partition == partition_for(key.encode(), 3)
    assert (put_key, value) == (letter.key, letter.value)
    assert headers == [*HEADERS, (LETTER, name.encode())]
    with rig.core(MendedFold()):
        notices(rig, {key: [3]})
    assert len(Records(rig, "dead-letters").found) == 2, "a letter and its mark"


def test_a_second_retry_is_refused_and_the_letter_hidden_unless_asked_for(rig: Rig) -> None:
    [letter] = buried(rig, ("a", b"\xff"))
    name = letter_id(letter)
    cli(rig, "retry", name)
    assert cli_json(rig, "list") == {"letters": [], "hidden": 1, "foreign": 0}
    assert "1 more were retried" in cli(rig, "list").stderr
    [entry] = cli_json(rig, "list", "--all")["letters"]
    assert entry["retried_to"] == f"{letter.topic}[0]"
    assert "already: --again" in cli(rig, "retry", name, expect=1).stdout
    assert cli_json(rig, "retry", "--all-matching")["letters"] == []
    assert len(Records(rig, "heartbeats").retried(name)) == 1
    cli(rig, "retry", name, "--again")
    assert len(Records(rig, "heartbeats").retried(name)) == 2


def test_a_letter_that_was_cut_is_retried_from_where_its_record_came_from(rig: Rig) -> None:
    accept(rig, "heartbeats", 10_000_000)
    big = secrets.token_bytes(3_000_000)
    [letter] = buried(rig, ("a", big))
    cli(rig, "retry", letter_id(letter))
    [(_, key, value, headers)] = Records(rig, "heartbeats").retried(letter_id(letter))
    assert (key, value == big, headers[:-1]) == (b"a", True, HEADERS)


def test_a_letter_that_was_cut_is_refused_once_its_record_has_expired(rig: Rig) -> None:
    accept(rig, "heartbeats", 10_000_000)
    [letter] = buried(rig, ("a", secrets.token_bytes(3_000_000)))
    admin = AdminClient({"bootstrap.servers": rig.bootstrap})
    place = TopicPartition(rig.topics.full("heartbeats"), 0, letter.offset + 1)
    settle(admin.delete_records([place]))
    assert "has expired: ask its sender" in cli(rig, "retry", letter_id(letter), expect=1).stdout
    assert "has expired" in cli(rig, "show", letter_id(letter)).stdout
    assert len(Records(rig, "dead-letters").found) == 1, "no mark"


def retrying(rig: Rig) -> Retrying:
    return Retrying(rig.connection, rig.topics, Codec())


def put_back(one: Retrying, letter: DeadLetter) -> list[Outcome]:
    return list(one.put_back([one.begin().named(letter_id(letter))], again=False, now=1.0))


def test_of_two_operators_who_retry_at_once_one_puts_the_record_back(rig: Rig) -> None:
    [letter] = buried(rig, ("a", b"\xff"))
    with ThreadPoolExecutor(2) as pool:
        words = ["retry", letter_id(letter)]
        runs = [pool.submit(_ending, rig, *words) for _ in range(4)]
        codes = [run.result() for run in runs]
    assert len(Records(rig, "heartbeats").retried(letter_id(letter))) == 1
    assert 0 in codes


def _ending(rig: Rig, *words: str) -> int:
    own = {name: value for name, value in os.environ.items() if not name.startswith("SNOWSHED_")}
    return subprocess.run(
        [sys.executable, "-m", "snowshed.streams.cli", "dead-letters", *words],
        env=own | {"SNOWSHED_BOOTSTRAP": rig.bootstrap, "SNOWSHED_PREFIX": rig.prefix},
        capture_output=True,
        timeout=120,
        check=False,
    ).returncode


def test_an_operator_who_was_overtaken_writes_nothing_and_hears_why(rig: Rig) -> None:
    [letter] = buried(rig, ("a", b"\xff"))
    first, second = retrying(rig), retrying(rig)
    chosen = [first.begin().named(letter_id(letter))]
    assert [outcome.refused for outcome in put_back(second, letter)] == [""]
    with pytest.raises(SnowshedError, match="another `snowshed dead-letters retry` began meanwhile"):
        list(first.put_back(chosen, again=False, now=1.0))
    assert len(Records(rig, "heartbeats").retried(letter_id(letter))) == 1


def test_a_mark_behind_another_writers_open_transaction_is_waited_for(rig: Rig) -> None:
    """A reader sees nothing behind an open transaction, so a mark that stands there looks as if it were missing."""
    [letter] = buried(rig, ("a", b"\xff"))
    first = retrying(rig)
    chosen = [first.begin().named(letter_id(letter))]
    lane = Producer({"bootstrap.servers": rig.bootstrap, "transactional.id": f"{rig.prefix}-a-lane"})
    lane.init_transactions(15)
    lane.begin_transaction()
    lane.produce(rig.topics.full("dead-letters"), b"in doubt", b"x", partition=0)
    lane.flush(10)
    assert [outcome.refused for outcome in first.put_back(chosen, again=False, now=1.0)] == [""]
    reading = threading.Event()
    with ThreadPoolExecutor(1) as pool:

        def later() -> list[Outcome]:
            reading.set()
            return put_back(retrying(rig), letter)

        run = pool.submit(later)
        assert reading.wait(10)
        with pytest.raises(TimeoutError):
            run.result(3)
        lane.abort_transaction(15)
        [outcome] = run.result(60)
    assert "already: --again" in outcome.refused
    assert len(Records(rig, "heartbeats").retried(letter_id(letter))) == 1


class Dying(Retrying):
    """Breaks off when everything is written and nothing committed; without the chance to undo it."""

    def _commit(self, ready: Any, now: float) -> None:
        self._producer.begin_transaction()
        for one in ready:
            self._write(one, now)
        self._producer.flush(10)
        raise ConnectionAbortedError


def test_a_retry_that_dies_half_way_leaves_nothing_and_is_repeated(rig: Rig) -> None:
    [letter] = buried(rig, ("a", b"\xff"))
    with pytest.raises(ConnectionAbortedError):
        put_back(Dying(rig.connection, rig.topics, Codec()), letter)
    assert [outcome.refused for outcome in put_back(retrying(rig), letter)] == [""]
    assert len(Records(rig, "heartbeats", "read_uncommitted").retried(letter_id(letter))) == 2
    assert len(Records(rig, "heartbeats").retried(letter_id(letter))) == 1


def test_a_record_that_its_topic_no_longer_takes_is_not_put_back_and_its_letter_stays(rig: Rig) -> None:
    [letter] = buried(rig, ("a", secrets.token_bytes(900_000)))
    accept(rig, "heartbeats", 300_000)
    assert "max.message.bytes" in cli(rig, "retry", letter_id(letter), expect=1).stderr
    assert Records(rig, "heartbeats").retried(letter_id(letter)) == []
    assert len(cli_json(rig, "list")["letters"]) == 1
