"""Why a lane's state cannot be restored, each with the next step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from confluent_kafka import KafkaError, TopicPartition

from snowshed.schemas.errors import SnowshedError
from snowshed.streams.transactions.errors import Forbidden, forbids

__all__ = ["StateMismatch", "StateUnreadable", "TopicGrew", "grew", "mismatch", "silent", "unreadable"]


class StateMismatch(SnowshedError):
    """A partition's state does not belong to the group's committed offset.

    Somebody moved the group's offsets or deleted the state topic. Reset both together: stop all workers
    and run `snowshed reset`, which lets folding begin anew.
    """


class StateUnreadable(SnowshedError):
    """The broker did not hand over a partition's state: it is away, or the state topic is damaged."""


class TopicGrew(SnowshedError):
    """An input has more partitions than its state topic.

    Keys have moved to other partitions and away from their state; stop all workers and run `snowshed reset`.
    """


def mismatch(source: TopicPartition, applied: int, committed: int) -> StateMismatch:
    """State and committed offset stay apart."""
    return StateMismatch(
        f"the state of {source.topic}[{source.partition}] was folded up to offset {applied}, but the group's committed "
        f"offset is {committed}: somebody moved the offsets or deleted the state topic. Stop all workers, then reset "
        "both together with `snowshed reset`."
    )


def grew(topic: str, partitions: int) -> TopicGrew:
    """An input has got partitions that its state topic has not."""
    return TopicGrew(
        f"{topic} has {partitions} partitions and its input has more, so keys have moved away from their state: stop "
        "all workers, then run `snowshed reset`"
    )


def silent(places: Sequence[tuple[str, int]], seconds: float) -> StateUnreadable:
    """The broker answers, but gives nothing of some partitions."""
    return StateUnreadable(
        f"the broker gives nothing of {places} for {seconds:.0f} s: see that it runs and that these partitions have a "
        "leader, then start the worker again"
    )


def unreadable(error: KafkaError, topics: Iterable[str]) -> SnowshedError:
    """The broker refuses, or has been away for too long."""
    states = ", ".join(sorted(topics))
    if forbids(error):
        return Forbidden(
            f"restoring from {states}: {error.str()}: grant what docs/operations.md lists under Permissions"
        )
    return StateUnreadable(
        f"the state in {states} cannot be read: {error.name()}: {error.str()}; start the worker again"
    )
