"""A fold under the policy in force: the worker's own until a change of it stands in the fold's own input.

A change is written once onto every partition of every input. So each lane takes it at one place among its records,
keeps it with its state, and decides the same whoever runs it and whenever. A change begins a batch of its own: what
comes before it is judged by the policy before it, up to the newest of those records and no further.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Generic, TypeVar, cast

from snowshed.schemas.codec import Codec
from snowshed.schemas.errors import DecodeError
from snowshed.schemas.records import PolicyChange
from snowshed.streams.folding import Batch, Decoded, Fold, Message, Reject, Step
from snowshed.streams.policy import Policy, salvaged
from snowshed.streams.policy.changes import AppliedPolicy, applied, checked
from snowshed.streams.snapshot import Snapshot

__all__ = ["KEY", "Governed", "Stretch"]

KEY = "\x00policy"
"""State key; no fold has one that starts with a zero byte."""
_DUMPED = b'["AppliedPolicy",'
_REMEMBERED = 4
"""Policies at a time that a worker judges by: lanes far behind may not have come to the newest yet."""

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Stretch(Generic[R_co]):
    """Records that one policy holds for."""

    change: PolicyChange | None
    """What they begin with; None where the policy from before them holds."""
    records: R_co


class Governed(Generic[R, S]):
    """Has a fold judge by the policy in force.

    Args:
        make: the fold under a policy; how it decodes, dumps and loads must not depend on the policy.
        policy: what holds until a change stands in the input.
        codec: reads changes.
        pinned: whether changes are passed over, to see what `policy` would have made of a log.
    """

    def __init__(
        self, make: Callable[[Policy], Fold[R, S]], policy: Policy, codec: Codec | None = None, *, pinned: bool = False
    ) -> None:
        def under(text: str) -> Fold[R, S]:
            return make(salvaged(text))

        self._own, self._under = make(policy), lru_cache(_REMEMBERED)(under)
        self._codec, self._pinned = codec or Codec(), pinned
        self._snapshot = Snapshot(AppliedPolicy)

    @property
    def agent(self) -> str:
        """Name of the agent that runs this fold."""
        return self._own.agent

    def decode(self, messages: Sequence[Message]) -> Decoded[Stretch[R]]:
        """The records up to a change of the policy that comes after the first message."""
        found = self._own.decode(messages)
        read = {reject.message.offset: self._read(reject) for reject in found.rejects}
        changes = {offset: change for offset, change in read.items() if isinstance(change, PolicyChange)}
        if changes:
            for place, message in enumerate(messages):
                if place and message.offset in changes:
                    return replace(self.decode(messages[:place]), taken=place)
        rejects = tuple(reject for reject in read.values() if isinstance(reject, Reject))
        return Decoded(Stretch(next(iter(changes.values()), None), found.records), rejects)

    def step(self, state: Mapping[str, S | AppliedPolicy], batch: Batch[Stretch[R]]) -> Step[S | AppliedPolicy]:
        """Take the change that the batch begins with, then have the fold judge the batch by what is in force.

        Raises:
            PolicyRefused: the change is not newer than what is in force.
        """
        before, rest = _parted(state)
        change = None if self._pinned else batch.records.change
        now = before if change is None else applied(before, change, batch.now)
        fold = self._own if self._pinned or now is None else self._under(now.text)
        framed: Batch[Any] = batch
        step = fold.step(rest, replace(framed, records=batch.records.records))
        framed_step: Step[Any] = step
        return step if now is before else replace(framed_step, changes={**step.changes, KEY: now})

    def dump(self, value: S | AppliedPolicy) -> bytes:
        """A state value as the fold dumps it, or the policy in force as JSON."""
        return self._snapshot.dump(value) if isinstance(value, AppliedPolicy) else self._own.dump(value)

    def load(self, raw: bytes) -> S | AppliedPolicy:
        """A state value, or the policy in force."""
        return self._snapshot.load(raw) if raw.startswith(_DUMPED) else self._own.load(raw)

    def _read(self, reject: Reject) -> PolicyChange | Reject:
        """The change in a record that the fold cannot use; or the record again, with what is wrong with it."""
        try:
            record = self._codec.decode(reject.message.value)
            return checked(record) if isinstance(record, PolicyChange) else reject
        except DecodeError as error:
            return Reject(reject.message, error)


def _parted(state: Mapping[str, S | AppliedPolicy]) -> tuple[AppliedPolicy | None, Mapping[str, S]]:
    """The policy in force, and the fold's own state."""
    held = state.get(KEY)
    if not isinstance(held, AppliedPolicy):
        return None, cast("Mapping[str, S]", state)
    rest = dict(state)
    del rest[KEY]
    return held, cast("Mapping[str, S]", rest)
