"""Recordings of the log, and folding them again without Kafka."""

from snowshed.streams.replay.engine import replay
from snowshed.streams.replay.recording import Recorded, Recording, read_recording, write_recording
from snowshed.streams.replay.result import Difference, ReplayResult

__all__ = [
    "Difference",
    "Recorded",
    "Recording",
    "ReplayResult",
    "read_recording",
    "replay",
    "write_recording",
]
