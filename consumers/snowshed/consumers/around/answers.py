"""The answers that a cache holds, the least recently used of which go first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

from snowshed.schemas.forking import survive_fork

__all__ = ["Answer", "Answers"]

_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")


@dataclass(frozen=True, slots=True)
class Answer(Generic[_V]):
    """One answer, and when it was asked for: what it says was true no earlier."""

    value: _V
    asked_at: float


class Answers(Generic[_K, _V]):
    """At most `size` answers, safe to share between threads.

    An answer that was asked for before its key was discarded is not kept.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._held: OrderedDict[_K, Answer[_V]] = OrderedDict()
        self.after_fork()
        survive_fork(self)

    def __len__(self) -> int:
        return len(self._held)

    def after_fork(self) -> None:
        """Keeps what is held; what the parent's threads ask for will not be answered in a forked child."""
        self._lock = threading.RLock()  # a finaliser may discard a key in the midst of this thread's own step
        self._asked: dict[_K, object] = {}

    def get(self, key: _K) -> Answer[_V] | None:
        """The answer held for a key, which makes it the last to go."""
        with self._lock:
            answer = self._held.get(key)
            with suppress(KeyError):  # nothing is held, or no longer
                self._held.move_to_end(key)
            return answer

    def asking(self, key: _K) -> object:
        """A token for an answer that is about to be asked for; give it back with `keep` or `give_up`."""
        token = object()
        with self._lock:
            self._asked[key] = token
        return token

    def keep(self, key: _K, answer: Answer[_V], token: object) -> None:
        """Holds an answer unless its key has been discarded, or asked for anew, since it was asked for."""
        with self._lock:
            if self._asked.get(key) is not token:
                return
            self._held.pop(key, None)
            self._held[key] = answer
            if self._asked.pop(key, None) is not token:  # discarded in the midst
                self._held.pop(key, None)
            if len(self._held) > self._size:
                self._held.popitem(last=False)

    def give_up(self, key: _K, token: object) -> None:
        """Nothing came of what was asked for."""
        with self._lock:
            if self._asked.get(key) is token:
                self._asked.pop(key, None)

    def discard(self, key: _K) -> None:
        """Forgets a key, also what is being asked for."""
        with self._lock:
            self._held.pop(key, None)
            self._asked.pop(key, None)
