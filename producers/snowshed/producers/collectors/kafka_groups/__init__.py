"""Kafka consumer groups: how far they are behind the topics they read."""

from snowshed.producers.collectors.kafka_groups.collector import ConsumerGroup
from snowshed.producers.collectors.kafka_groups.look import GroupLook, PartitionLook
from snowshed.producers.collectors.kafka_groups.session import GroupSession
from snowshed.producers.collectors.kafka_groups.target import GroupTarget

__all__ = ["ConsumerGroup", "GroupLook", "GroupSession", "GroupTarget", "PartitionLook"]
