"""The answers that a cache holds, the least recently used of which go first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

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
        self._lock = threading.Lock()
        self._held: OrderedDict[_K, Answer[_V]] = OrderedDict()
        self._asked: dict[_K, object] = {}

    def __len__(self) -> int:
        return len(self._held)

    def get(self, key: _K) -> Answer[_V] | None:
        """The answer held for a key, which makes it the last to go."""
        with self._lock:
            answer = self._held.get(key)
            if answer is not None:
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
            del self._asked[key]
            self._held[key] = answer
            self._held.move_to_end(key)
            if len(self._held) > self._size:
                self._held.popitem(last=False)

    def give_up(self, key: _K, token: object) -> None:
        """Nothing came of what was asked for."""
        with self._lock:
            if self._asked.get(key) is token:
                del self._asked[key]

    def discard(self, key: _K) -> None:
        """Forgets a key, also what is being asked for."""
        with self._lock:
            self._held.pop(key, None)
            self._asked.pop(key, None)
