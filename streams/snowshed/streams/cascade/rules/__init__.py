"""The rules of level 2, one a module, in the order in which they may ask for an actuator: retries before inflow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from snowshed.schemas.records import IncidentKind
from snowshed.streams.cascade.board import Board
from snowshed.streams.cascade.cases import Case
from snowshed.streams.cascade.findings import Ending, Finding
from snowshed.streams.cascade.rules import (
    blindness,
    capacity_loss,
    cascade,
    clocks,
    consistency,
    consumer_group,
    gray_failure,
    metastable,
    node_failed,
    overload,
    partition,
    quorum,
    replica_lag,
    retry_amplification,
)
from snowshed.streams.policy import Policy

__all__ = ["RULES", "Rule"]


@dataclass(frozen=True, slots=True)
class Rule:
    """How a kind of incident is found, and how its end is told."""

    name: str
    judge: Callable[[Board, Policy, float], Iterator[Finding]]
    ending: Callable[[Board, Case], Ending]


RULES: Mapping[IncidentKind, Rule] = {
    IncidentKind.NODE_FAILED: Rule(node_failed.RULE, node_failed.judge, node_failed.ending),
    IncidentKind.DIVIDED: Rule(consistency.RULE, consistency.judge, consistency.ending),
    IncidentKind.REPLICA_LAG: Rule(replica_lag.RULE, replica_lag.judge, replica_lag.ending),
    IncidentKind.CONSUMER_GROUP: Rule(consumer_group.RULE, consumer_group.judge, consumer_group.ending),
    IncidentKind.QUORUM: Rule(quorum.RULE, quorum.judge, quorum.ending),
    IncidentKind.RETRY_AMPLIFICATION: Rule(
        retry_amplification.RULE, retry_amplification.judge, retry_amplification.ending
    ),
    IncidentKind.GRAY_FAILURE: Rule(gray_failure.RULE, gray_failure.judge, gray_failure.ending),
    IncidentKind.PARTITION: Rule(partition.RULE, partition.judge, partition.ending),
    IncidentKind.METASTABLE: Rule(metastable.RULE, metastable.judge, metastable.ending),
    IncidentKind.CAPACITY_LOSS: Rule(capacity_loss.RULE, capacity_loss.judge, capacity_loss.ending),
    IncidentKind.CASCADE: Rule(cascade.RULE, cascade.judge, cascade.ending),
    IncidentKind.OVERLOAD: Rule(overload.RULE, overload.judge, overload.ending),
    IncidentKind.DETECTOR: Rule(blindness.RULE, blindness.judge, blindness.ending),
    IncidentKind.CLOCK: Rule(clocks.RULE, clocks.judge, clocks.ending),
}
