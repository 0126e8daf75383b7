"""The records on the wire, as frozen dataclasses; one `.avsc` file each in `snowshed/schemas/avro`."""

from snowshed.schemas.records.actions import (
    ActionKind,
    ActionMode,
    ActionOrder,
    ActionState,
    ActionStatus,
    Guarantee,
    OrderVerdict,
)
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
from snowshed.schemas.records.delivery import DeliveryStatus, NoticeDelivery
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
from snowshed.schemas.records.orders import OperatorAction, OperatorOrder
from snowshed.schemas.records.policy import PolicyChange
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
    "ActionKind",
    "ActionMode",
    "ActionOrder",
    "ActionState",
    "ActionStatus",
    "Cause",
    "Consistency",
    "ConsistencyMode",
    "DeadLetter",
    "Decision",
    "DecisionKind",
    "DecisionMode",
    "DeliveryStatus",
    "EdgeHealth",
    "EdgeObservations",
    "EdgeStatus",
    "Evidence",
    "GroupProgress",
    "Guarantee",
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
    "NoticeDelivery",
    "OperatorAction",
    "OperatorOrder",
    "OrderVerdict",
    "PolicyChange",
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
    | NoticeDelivery
    | ActionState
    | ActionOrder
    | PolicyChange
    | OperatorOrder
    | DeadLetter
    | JournalEntry
)
"""Any record that travels on a Snowshed topic as a message of its own."""
