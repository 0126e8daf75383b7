"""The policy: thresholds, and what services and datasets ask for."""

from snowshed.streams.policy.control import ControlPolicy
from snowshed.streams.policy.groups import GroupPolicy
from snowshed.streams.policy.policy import (
    DatasetPolicy,
    DecisionPolicy,
    EdgePolicy,
    HealthPolicy,
    LagPolicy,
    OverloadPolicy,
    Policy,
    RetryPolicy,
    ServicePolicy,
)
from snowshed.streams.policy.stability import CascadePolicy, ChangePolicy, MetastablePolicy
from snowshed.streams.policy.statements import StatementPolicy

__all__ = [
    "CascadePolicy",
    "ChangePolicy",
    "ControlPolicy",
    "DatasetPolicy",
    "DecisionPolicy",
    "EdgePolicy",
    "GroupPolicy",
    "HealthPolicy",
    "LagPolicy",
    "MetastablePolicy",
    "OverloadPolicy",
    "Policy",
    "RetryPolicy",
    "ServicePolicy",
    "StatementPolicy",
]
