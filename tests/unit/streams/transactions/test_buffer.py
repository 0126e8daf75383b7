"""What waits for a lane is bounded by number and by bytes."""

from __future__ import annotations

from snowshed.streams.folding import Message
from snowshed.streams.transactions.buffer import LaneBuffer


def messages(start: int, stop: int, size: int = 1) -> list[Message]:
    return [Message(offset, 0.0, None, b"x" * size) for offset in range(start, stop)]


def test_messages_come_out_in_order_and_only_once() -> None:
    buffer = LaneBuffer(high=100, low=50, high_bytes=1_000)
    buffer.extend(messages(0, 5))
    buffer.extend(messages(5, 7))
    first, _ = buffer.take(4)
    rest, _ = buffer.take(100)
    assert [message.offset for message in first + rest] == list(range(7))


def test_the_end_counts_only_for_whoever_takes_everything() -> None:
    buffer = LaneBuffer(high=100, low=50, high_bytes=1_000)
    buffer.extend(messages(0, 4))
    buffer.reached_end()
    assert buffer.take(2)[1] is False
    assert buffer.take(2)[1] is True
    buffer.extend(messages(4, 5))
    assert buffer.take(1)[1] is False


def test_a_full_buffer_is_drained_at_half_not_at_one_less() -> None:
    buffer = LaneBuffer(high=10, low=5, high_bytes=1_000)
    buffer.extend(messages(0, 10))
    assert buffer.full
    buffer.take(1)
    assert not buffer.full
    assert not buffer.drained
    buffer.take(4)
    assert buffer.drained


def test_few_large_messages_fill_it_too() -> None:
    buffer = LaneBuffer(high=1_000, low=500, high_bytes=1_000)
    buffer.extend(messages(0, 2, size=600))
    assert buffer.full
    buffer.take(2)
    assert buffer.drained


def test_closing_wakes_whoever_waits() -> None:
    buffer = LaneBuffer(high=10, low=5, high_bytes=1_000)
    buffer.close()
    assert buffer.wait(0.0)
