"""Level 1 over call timings: what each edge does, compared with what is usual."""

from snowshed.streams.edges.columns import TimingColumns
from snowshed.streams.edges.fold import TimingFold
from snowshed.streams.edges.state import CalleeState, EdgeState

__all__ = ["CalleeState", "EdgeState", "TimingColumns", "TimingFold"]
