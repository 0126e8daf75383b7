"""The policy: thresholds, and what services and datasets ask for."""

from snowshed.streams.policy.control import ControlPolicy, FeaturePolicy
from snowshed.streams.policy.decisions import DecisionPolicy
from snowshed.streams.policy.declared import (
    Beyond,
    ConsistencyPolicy,
    Criticality,
    DatasetPolicy,
    Declared,
    LostControl,
    QuorumPolicy,
    ServicePolicy,
)
from snowshed.streams.policy.document import Document, PolicyError, fingerprint, parsed, salvaged
from snowshed.streams.policy.groups import GroupPolicy
from snowshed.streams.policy.policy import (
    EdgePolicy,
    HealthPolicy,
    LagPolicy,
    OverloadPolicy,
    Policy,
    RetryPolicy,
)
from snowshed.streams.policy.stability import CascadePolicy, ChangePolicy, MetastablePolicy
from snowshed.streams.policy.statements import StatementPolicy

__all__ = [
    "Beyond",
    "CascadePolicy",
    "ChangePolicy",
    "ConsistencyPolicy",
    "ControlPolicy",
    "Criticality",
    "DatasetPolicy",
    "DecisionPolicy",
    "Declared",
    "Document",
    "EdgePolicy",
    "FeaturePolicy",
    "GroupPolicy",
    "HealthPolicy",
    "LagPolicy",
    "LostControl",
    "MetastablePolicy",
    "OverloadPolicy",
    "Policy",
    "PolicyError",
    "QuorumPolicy",
    "RetryPolicy",
    "ServicePolicy",
    "StatementPolicy",
    "fingerprint",
    "parsed",
    "salvaged",
]
