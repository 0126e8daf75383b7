"""Writes an operator's order where level 2 finds it: among the observations of its domain, in order with the data."""

from __future__ import annotations

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from snowshed.schemas.cloudevents import ORDER_SOURCE, headers
from snowshed.schemas.codec import Codec
from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.errors import BrokerUnavailable
from snowshed.schemas.records import OperatorOrder
from snowshed.schemas.topics import Topics

__all__ = ["send_order"]

_PATIENCE = 10.0


def send_order(connection: KafkaConnection, topics: Topics, order: OperatorOrder, codec: Codec) -> tuple[int, int]:
    """Write an order; its partition and offset once every in-sync replica has it.

    Raises:
        BrokerUnavailable: the broker does not answer; nothing has been ordered, or it cannot be told whether it was.
    """
    producer = Producer(
        connection.librdkafka(
            {
                "enable.idempotence": True,
                "message.timeout.ms": int(_PATIENCE * 1000),
                "linger.ms": 0,
                "partitioner": "murmur2_random",
                "log_level": 2,
            }
        )
    )
    places: list[tuple[int, int]] = []
    failures: list[str] = []

    def told(error: KafkaError | None, message: Message) -> None:
        if error is not None:
            failures.append(error.str())
        else:
            places.append((message.partition() or 0, message.offset() or 0))

    found = headers(order, event_id=order.order_id, source=ORDER_SOURCE, time=order.ordered_at)
    try:
        producer.produce(
            topics.full("observations"),
            codec.encode(order),
            order.domain.encode(),
            headers=[*found],
            on_delivery=told,
        )
        producer.flush(2.0 * _PATIENCE)
    except KafkaException as error:
        failures.append(str(error))
    if not places:
        why = "; ".join(failures) or "no answer"
        raise BrokerUnavailable(f"the order could not be written ({why}): look at `snowshed watch`, then give it again")
    return places[0]
