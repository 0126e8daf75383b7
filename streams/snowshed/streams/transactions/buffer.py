"""Messages that wait for their lane, bounded so that a slow lane pauses its partition instead of filling memory."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence

from snowshed.streams.folding import Message

__all__ = ["LaneBuffer"]


class LaneBuffer:
    """A bounded queue between the consumer's thread and one lane's thread.

    Args:
        high: messages at which the partition should pause.
        low: messages at which it may resume.
        high_bytes: bytes of values at which the partition should pause, whatever their number.
    """

    def __init__(self, *, high: int, low: int, high_bytes: int) -> None:
        self._high, self._low, self._high_bytes = high, low, high_bytes
        self._runs: deque[tuple[Sequence[Message], int]] = deque()
        self._count = 0
        self._bytes = 0
        self._caught_up = False
        self._closed = False
        self._changed = threading.Condition()

    def extend(self, messages: Sequence[Message]) -> None:
        """Append messages in offset order and wake the lane."""
        size = sum([len(message.value or b"") for message in messages])
        with self._changed:
            self._runs.append((messages, size))
            self._count += len(messages)
            self._bytes += size
            self._caught_up = False
            self._changed.notify()

    def reached_end(self) -> None:
        """Note that the partition has been read to its end."""
        with self._changed:
            self._caught_up = True
            self._changed.notify()

    def close(self) -> None:
        """Wake the lane for the last time."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def wait(self, timeout: float) -> bool:
        """Wait until there are messages or the buffer is closed; whether it was so within `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self._count > 0 or self._closed, timeout)

    def take(self, limit: int) -> tuple[list[Message], bool]:
        """Remove up to `limit` messages; with them, whether they reach to the partition's end."""
        taken: list[Message] = []
        with self._changed:
            while self._runs and len(taken) < limit:
                run, size = self._runs.popleft()
                room = limit - len(taken)
                if len(run) > room:
                    # The bytes of a run that is cut stay counted until its last part is taken.
                    self._runs.appendleft((run[room:], size))
                    run, size = run[:room], 0
                taken.extend(run)
                self._bytes -= size
            self._count -= len(taken)
            return taken, self._caught_up and not self._count

    @property
    def full(self) -> bool:
        """Whether the partition should pause."""
        return self._count >= self._high or self._bytes >= self._high_bytes

    @property
    def drained(self) -> bool:
        """Whether a paused partition may resume."""
        return self._count <= self._low and self._bytes <= self._high_bytes // 2

    def __len__(self) -> int:
        return self._count
