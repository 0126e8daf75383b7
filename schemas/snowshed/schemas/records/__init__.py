"""The records on the wire, as frozen dataclasses; one `.avsc` file each in `snowshed/schemas/avro`."""

from snowshed.schemas.records.control import (
    Consistency,
    ConsistencyMode,
    Decision,
    DecisionKind,
    DecisionMode,
    Notice,
    PriorityFloor,
    ScopeKind,
)
from snowshed.schemas.records.incident import Cause, Evidence, Incident, IncidentKind, IncidentStatus
from snowshed.schemas.records.log import DeadLetter, JournalEntry
from snowshed.schemas.records.observation import (
    EdgeHealth,
    EdgeObservations,
    EdgeStatus,
    Lag,
    LagStatus,
    Liveness,
    NodeHealth,
    ServiceHealth,
    ServiceStatus,
)
from snowshed.schemas.records.statements import StatementHealth
from snowshed.schemas.records.telemetry import (
    GroupProgress,
    Heartbeat,
    Marker,
    NodeStatus,
    PositionUnit,
    QuorumAnswers,
    ReplicaRole,
    SlowSample,
    TimingBatch,
    Vantage,
)

__all__ = [
    "Cause",
    "Consistency",
    "ConsistencyMode",
    "DeadLetter",
    "Decision",
    "DecisionKind",
    "DecisionMode",
    "EdgeHealth",
    "EdgeObservations",
    "EdgeStatus",
    "Evidence",
    "GroupProgress",
    "Heartbeat",
    "Incident",
    "IncidentKind",
    "IncidentStatus",
    "JournalEntry",
    "Lag",
    "LagStatus",
    "Liveness",
    "Marker",
    "NodeHealth",
    "NodeStatus",
    "Notice",
    "PositionUnit",
    "PriorityFloor",
    "QuorumAnswers",
    "Record",
    "ReplicaRole",
    "ScopeKind",
    "ServiceHealth",
    "ServiceStatus",
    "SlowSample",
    "StatementHealth",
    "TimingBatch",
    "Vantage",
]

Record = (
    Heartbeat
    | TimingBatch
    | Marker
    | GroupProgress
    | QuorumAnswers
    | NodeHealth
    | EdgeHealth
    | ServiceHealth
    | StatementHealth
    | EdgeObservations
    | Lag
    | Incident
    | Decision
    | Notice
    | DeadLetter
    | JournalEntry
)
"""Any record that travels on a Snowshed topic as a message of its own."""
