"""Recordings of the log, and folding them again without Kafka."""

from snowshed.streams.replay.comparison import Comparison, Pair, compare
from snowshed.streams.replay.differences import Difference, FieldDifference, Kind, Unproved
from snowshed.streams.replay.engine import replay
from snowshed.streams.replay.proof import Proof, prove
from snowshed.streams.replay.recording import Recorded, Recording, read_recording, write_recording
from snowshed.streams.replay.result import ReplayResult
from snowshed.streams.replay.spans import Span

__all__ = [
    "Comparison",
    "Difference",
    "FieldDifference",
    "Kind",
    "Pair",
    "Proof",
    "Recorded",
    "Recording",
    "ReplayResult",
    "Span",
    "Unproved",
    "compare",
    "prove",
    "read_recording",
    "replay",
    "write_recording",
]
