"""Reports what a service does: heartbeats, call timings, replication markers. It never blocks or fails its host."""

from snowshed.producers.heartbeat import HeartbeatEmitter
from snowshed.producers.local_health import LocalHealth
from snowshed.producers.markers import MarkerReporter
from snowshed.producers.node import Node
from snowshed.producers.outcome import Outcome, outcome_of
from snowshed.producers.recorder import Call, TimingRecorder
from snowshed.producers.sampling import HostSampler
from snowshed.producers.settings import ProducerSettings
from snowshed.producers.telemetry import Telemetry, start
from snowshed.producers.testing import MemoryTransport
from snowshed.producers.transport import Closable, Outlet, Transport, TransportStats
from snowshed.producers.vitals import TcpCounts, Vitals

__all__ = [
    "Call",
    "Closable",
    "HeartbeatEmitter",
    "HostSampler",
    "LocalHealth",
    "MarkerReporter",
    "MemoryTransport",
    "Node",
    "Outcome",
    "Outlet",
    "ProducerSettings",
    "TcpCounts",
    "Telemetry",
    "TimingRecorder",
    "Transport",
    "TransportStats",
    "Vitals",
    "outcome_of",
    "start",
]
