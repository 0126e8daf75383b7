"""The control: the same work in Faust with its own `processing_guarantee="exactly_once"`; CHAOS_… variables arm it.

Everything that helps it is granted: keys stay within their partition, outputs go to the partition of their input, the
topics exist, state is a Faust table, bad records are caught and sent on as dead letters.
"""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

import faust
from tests.chaos.failpoints import At, FailPoint, Trigger
from tests.support.counting import CountingFold, Tally, notice

from snowshed.schemas.codec import Codec
from snowshed.schemas.topics import Topics
from snowshed.streams.folding import Message
from snowshed.streams.transactions.plan import dead_letter

__all__ = ["app"]

_SESSION = float(os.environ.get("SNOWSHED_SESSION", "6"))
_COMMIT_SECONDS = 0.02
_TOPICS = Topics(os.environ.get("SNOWSHED_PREFIX", "control"))
_PARTITIONS = int(os.environ.get("SNOWSHED_PARTITIONS", "4"))


def _armed() -> Callable[..., None]:
    """What to call at each step of the work."""
    point = os.environ.get("CHAOS_FAILPOINT")
    return Trigger(FailPoint.parse(point)).passed if point else _pass_by


def _pass_by(_where: At, *, within: float = 0.0) -> None:
    """No fail point is set."""
    _ = within


_passed = _armed()
_random, _share = random.Random(os.getpid()), float(os.environ.get("CHAOS_RAISE", "0"))

app = faust.App(
    os.environ.get("SNOWSHED_APP", "control"),
    broker=f"kafka://{os.environ.get('SNOWSHED_BOOTSTRAP', '127.0.0.1:9092')}",
    store="memory://",
    datadir=tempfile.mkdtemp(prefix="faust-"),
    processing_guarantee="exactly_once",
    topic_partitions=_PARTITIONS,
    topic_replication_factor=int(os.environ.get("SNOWSHED_REPLICATION", "1")),
    topic_disable_leader=True,
    topic_allow_declare=False,
    producer_acks=-1,
    table_standby_replicas=0,
    broker_session_timeout=_SESSION,
    broker_heartbeat_interval=_SESSION / 6,
    broker_commit_interval=0.5,
    broker_request_timeout=max(15.0, _SESSION + 5),
    consumer_auto_offset_reset="earliest",
)
_source = app.topic(_TOPICS.full("heartbeats"), key_serializer="raw", value_serializer="raw")
_notices = app.topic(_TOPICS.full("notices"), key_serializer="raw", value_serializer="raw", partitions=_PARTITIONS)
_letters = app.topic(_TOPICS.full("dead-letters"), key_serializer="raw", value_serializer="raw", partitions=_PARTITIONS)
_tally: Any = cast("Any", app).Table("tally", default=list, partitions=_PARTITIONS)
_codec, _fold = Codec(), CountingFold()


@app.agent(_source)
async def work(stream: Any) -> None:
    """Fold record by record, as Faust does it."""
    async for event in stream.events():
        if _random.random() < _share:
            raise RuntimeError("a rule with a bug")
        message = Message(event.message.offset, event.message.timestamp, event.message.key, event.value)
        await _apply(message, event.message.partition)


async def _apply(message: Message, partition: int) -> None:
    decoded = _fold.decode([message])
    for reject in decoded.rejects:
        await _bury(message, partition, reject.error)
    for key, number, poison in decoded.records:
        if poison:
            await _bury(message, partition, ValueError("poisonous"))
            continue
        tally = Tally(*_tally[key]).add(number) if _tally[key] else Tally().add(number)
        _passed(At.BEFORE_PRODUCE)
        _tally[key] = [tally.count, tally.checksum]
        await _notices.send(key=key.encode(), value=_codec.encode(notice(key, tally, 1.0)), partition=partition)
        _passed(At.AFTER_PRODUCE)


async def _bury(message: Message, partition: int, error: Exception) -> None:
    letter = dead_letter(_TOPICS.full("heartbeats"), partition, message, error, message.timestamp)
    await _letters.send(key=message.key or b"", value=_codec.encode(letter), partition=partition)


def _strike_in_commits(producer: Any) -> None:
    """Pass the remaining fail points in Faust's own commit: it sends offsets and ends the transaction in one call."""
    commit: Callable[..., Awaitable[Any]] = producer.commit_transactions

    async def struck(offsets: Mapping[str, Any], *arguments: Any, **options: Any) -> Any:
        if offsets:
            _passed(At.AFTER_OFFSETS)
            _passed(At.DURING_COMMIT, within=_COMMIT_SECONDS)
        outcome = await commit(offsets, *arguments, **options)
        if offsets:
            _passed(At.AFTER_COMMIT)
        return outcome

    producer.commit_transactions = struck


@app.on_partitions_assigned.connect
async def _assigned(*_: Any, **__: Any) -> None:
    _passed(At.IN_ASSIGNMENT)
    _passed(At.IN_RESTORE, within=0.15)


if __name__ == "__main__":
    _strike_in_commits(cast("Any", app).producer)
    app.main()
