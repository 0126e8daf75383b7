"""Recordings of the log, and folding them again without Kafka."""

from snowshed.streams.replay.differences import Difference, FieldDifference, Kind, Unproved
from snowshed.streams.replay.engine import replay
from snowshed.streams.replay.proof import Proof, prove
from snowshed.streams.replay.recording import Recorded, Recording, read_recording, write_recording
from snowshed.streams.replay.result import ReplayResult

__all__ = [
    "Difference",
    "FieldDifference",
    "Kind",
    "Proof",
    "Recorded",
    "Recording",
    "ReplayResult",
    "Unproved",
    "prove",
    "read_recording",
    "replay",
    "write_recording",
]
