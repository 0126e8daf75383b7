"""What people see of actions, and how they say a word on one."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from confluent_kafka import KafkaError, Message, Producer

from snowshed.consumers.actions.ledger import PARTITION
from snowshed.consumers.actions.situation import Situation
from snowshed.consumers.following.follower import Follower
from snowshed.schemas.cloudevents import headers
from snowshed.schemas.codec import Codec
from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.errors import BrokerUnavailable, ConfigurationError
from snowshed.schemas.records import ActionOrder, ActionState, ActionStatus
from snowshed.schemas.topics import Topics

__all__ = ["chosen", "followed", "give"]

_PATIENCE = 15.0
_OPEN = frozenset({ActionStatus.PROPOSED, ActionStatus.APPROVED})


@contextmanager
def followed(connection: KafkaConnection, topics: Topics) -> Generator[Situation]:
    """Everything that is known of actions, and goes on to be.

    Raises:
        BrokerUnavailable: the topic could not be read to its end.
    """
    situation = Situation()
    take = situation.take
    follower = Follower(connection, [topics.full("actions")], lambda one: take(one.record), name="actions-list")
    follower.start()
    try:
        if not follower.wait_caught_up(_PATIENCE):
            raise BrokerUnavailable(
                f"{topics.full('actions')} could not be read at {connection.bootstrap}: is it there?"
            )
        yield situation
    finally:
        follower.stop()


def chosen(situation: Situation, beginning: str) -> ActionState:
    """The action whose id begins so.

    Raises:
        ConfigurationError: there is none, there are several, or a word on it would come too late.
    """
    with situation.still():
        found = [one for one in situation.actions.values() if one.action_id.startswith(beginning)]
    if len(found) != 1:
        what = "no action's id begins" if not found else f"{len(found)} actions' ids begin"
        raise ConfigurationError(f"{what} with {beginning!r}: see `snowshed actions list`")
    if found[0].status not in _OPEN:
        raise ConfigurationError(f"action {found[0].action_id} is {found[0].status.value}: nothing is left to be said")
    return found[0]


def give(connection: KafkaConnection, topics: Topics, order: ActionOrder) -> None:
    """Write a person's word on an action.

    Raises:
        BrokerUnavailable: it could not be written.
    """
    failures: list[KafkaError] = []

    def acknowledged(error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            failures.append(error)

    producer = Producer(connection.librdkafka({"enable.idempotence": True, "linger.ms": 0, "log_level": 3}))
    key = f"order/{order.action_id}"
    about = headers(order, event_id=f"{key}/{order.at}", source=f"/{topics.prefix}/person/{order.by}", time=order.at)
    producer.produce(
        topics.full("actions"),
        Codec().encode(order),
        key,
        partition=PARTITION,
        headers=[*about],
        on_delivery=acknowledged,
    )
    if producer.flush(_PATIENCE) or failures:
        raise BrokerUnavailable(f"the word on {order.action_id} could not be written: {failures or 'no answer'}")
