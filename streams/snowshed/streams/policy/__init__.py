"""The policy: thresholds, and what services and datasets ask for."""

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

__all__ = [
    "DatasetPolicy",
    "DecisionPolicy",
    "EdgePolicy",
    "HealthPolicy",
    "LagPolicy",
    "OverloadPolicy",
    "Policy",
    "RetryPolicy",
    "ServicePolicy",
]
