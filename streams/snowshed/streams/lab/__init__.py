"""Real processes on loopback that play failures, protected and unprotected side by side."""

from snowshed.streams.lab.control_plane import ControlPlane, Kafka, control_plane
from snowshed.streams.lab.measure import Bin, Ended, Outcome, Verdict
from snowshed.streams.lab.play import play
from snowshed.streams.lab.played import Listener, Note, Played, Tick
from snowshed.streams.lab.scenario import Act, Scenario
from snowshed.streams.lab.scenarios import SCENARIOS, scenario

__all__ = [
    "SCENARIOS",
    "Act",
    "Bin",
    "ControlPlane",
    "Ended",
    "Kafka",
    "Listener",
    "Note",
    "Outcome",
    "Played",
    "Scenario",
    "Tick",
    "Verdict",
    "control_plane",
    "play",
    "scenario",
]
