"""Level 1 over replication markers: how far replicas are behind."""

from snowshed.streams.lag.fold import LagState, MarkerFold, SeenMarker
from snowshed.streams.lag.interval import Staleness

__all__ = ["LagState", "MarkerFold", "SeenMarker", "Staleness"]
