"""Puts records of dead letters back where they came from, each exactly once.

A record and the mark of its letter are written in one transaction, so either both stand or neither does. Every retry of
an installation has the same transactional id: whoever begins shuts out an earlier one, whose transaction is thereby
either committed or undone, and only then looks at the marks. So of two that run at once one puts the record back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException, Producer

from snowshed.schemas.codec import Codec
from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.errors import BrokerUnavailable, ConfigurationError, SnowshedError
from snowshed.schemas.records import DeadLetter
from snowshed.schemas.topics import AGENTS, Topics
from snowshed.streams.dead_letters.book import LETTER, Book, Entry, grouped, mark_headers
from snowshed.streams.dead_letters.reading import LetterLog, Original, Refused
from snowshed.streams.transactions.errors import Unwritable, classify, kafka_error

__all__ = ["Outcome", "Retrying", "rehearsed"]

_PATIENCE = 30.0
_TIMEOUT_MS = 10_000
_LETTERS = 200
_BYTES = 8 * 1024 * 1024
"""Bounds on one transaction."""
_OVERTAKEN = frozenset({KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH, KafkaError.PRODUCER_FENCED})  # noqa: SLF001 librdkafka's public names
_ANY_SIZE = 1_000_000_000
"""What the client lets pass: the topic took the record once, and takes it again or refuses it by itself."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one letter that was to be retried."""

    id: str
    put: str
    """Where its record was put, or would be, as `topic[partition]`; empty where it was refused."""
    refused: str
    """Why not; empty where it was put back."""


@dataclass(frozen=True, slots=True)
class _Ready:
    entry: Entry
    letter: DeadLetter
    original: Original

    @property
    def place(self) -> str:
        return f"{self.letter.topic}[{self.letter.partition}]"


def rehearsed(log: LetterLog, topics: Topics, entries: Iterable[Entry], *, again: bool) -> Iterator[Outcome]:
    """What would become of these letters; nothing is written."""
    for entry in entries:
        try:
            ready = _examined(log, topics, entry, again=again)
        except Refused as error:
            yield Outcome(entry.id, "", str(error))
        else:
            yield Outcome(entry.id, ready.place, "")


def _examined(log: LetterLog, topics: Topics, entry: Entry, *, again: bool) -> _Ready:
    if entry.retried_at is not None and not again:
        raise Refused(f"its record was put back on {entry.retried_to} already: --again does it once more")
    letter = log.letter(entry)
    if letter.topic not in {topics.full(short) for short in AGENTS.values()}:
        raise Refused(f"its record came from {letter.topic}, which is no input of this installation")
    return _Ready(entry, letter, log.original(letter))


class Retrying:
    """One operator's retry.

    Args:
        connection: where the broker is.
        topics: full topic names.
        codec: reads letters.
    """

    def __init__(self, connection: KafkaConnection, topics: Topics, codec: Codec) -> None:
        self._topics, self._letters = topics, topics.full("dead-letters")
        self._log = LetterLog(connection, topics, codec)
        self._producer = Producer(
            connection.librdkafka(
                {
                    "transactional.id": f"{topics.prefix}-dead-letters-retry",
                    "transaction.timeout.ms": _TIMEOUT_MS,
                    "compression.type": "lz4",
                    "linger.ms": 0,
                    "message.max.bytes": _ANY_SIZE,
                    "log_level": 2,
                }
            )
        )

    def begin(self) -> Book:
        """Shut out whoever retries at this moment; the letters and marks as they stand then.

        Raises:
            BrokerUnavailable: the broker does not answer, or a transaction on the topic stays open.
        """
        try:
            self._producer.init_transactions(_PATIENCE)
        except KafkaException as error:
            raise _meaning(error) from error
        return self._log.book(settled=True)

    def put_back(self, entries: Sequence[Entry], *, again: bool, now: float) -> Iterator[Outcome]:
        """Put the records of these letters back; each outcome is final when it is given.

        Raises:
            SnowshedError: it had to stop; the letters without an outcome are as they were.
        """
        for group in grouped(entries, count=_LETTERS, size=_BYTES):
            ready: list[_Ready] = []
            for entry in group:
                try:
                    ready.append(_examined(self._log, self._topics, entry, again=again))
                except Refused as error:
                    yield Outcome(entry.id, "", str(error))
            if ready:
                self._commit(ready, now)
                yield from (Outcome(one.entry.id, one.place, "") for one in ready)

    def _commit(self, ready: Sequence[_Ready], now: float) -> None:
        try:
            self._producer.begin_transaction()
            for one in ready:
                self._write(one, now)
            self._producer.commit_transaction(_PATIENCE)
        except KafkaException as error:
            raise _meaning(self._undone(error)) from error
        except BaseException:
            # An operator who breaks off must not leave a transaction behind which nobody reads on.
            with suppress(KafkaException):
                self._producer.abort_transaction(_PATIENCE)
            raise

    def _write(self, one: _Ready, now: float) -> None:
        """Write a record and the mark of its letter."""
        letter, entry = one.letter, one.entry
        # Not where the key leads: a record that another client wrote may stand elsewhere, and so does its state.
        self._producer.produce(
            letter.topic, one.original.value, one.original.key, letter.partition, headers=_headers(one)
        )
        self._producer.produce(
            self._letters, None, entry.id.encode(), entry.partition, headers=mark_headers(now, one.place)
        )

    def _undone(self, error: KafkaException) -> KafkaException:
        """Undo the transaction; the error that tells more of why."""
        if kafka_error(error).fatal():
            return error
        try:
            self._producer.abort_transaction(_PATIENCE)
        except KafkaException as worse:  # then the next retry's fence undoes it, or the broker's time-out
            return worse if kafka_error(worse).fatal() else error
        return error


def _headers(one: _Ready) -> list[tuple[str, str | bytes | None]]:
    kept = [(name, value) for name, value in one.original.headers if name != LETTER]
    return [*kept, (LETTER, one.entry.id.encode())]


def _meaning(error: KafkaException) -> SnowshedError:
    reason = kafka_error(error)
    if reason.code() in _OVERTAKEN:
        return SnowshedError(
            "another `snowshed dead-letters retry` began meanwhile and has the letters now: what this one had not "
            "reported is undone; look at `snowshed dead-letters list`"
        )
    if isinstance(classify("produce", reason), Unwritable):
        return ConfigurationError(
            f"the broker refuses a record for its size ({reason.str()}): raise its topic's max.message.bytes, or name "
            "the other letters; what this run had not reported is undone"
        )
    return BrokerUnavailable(
        f"the records could not be put back ({reason.name()}: {reason.str()}): "
        "`snowshed dead-letters list` says which are left; try again"
    )
