"""The policy: thresholds, and what services and datasets ask for."""

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

__all__ = [
    "CascadePolicy",
    "ChangePolicy",
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
]
