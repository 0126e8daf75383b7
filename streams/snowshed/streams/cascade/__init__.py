"""Level 2: incidents, decisions and notices from the observations of level 1."""

from snowshed.streams.cascade.board import DomainState
from snowshed.streams.cascade.explain import explain
from snowshed.streams.cascade.fold import DomainFold
from snowshed.streams.cascade.observations import Observation

__all__ = ["DomainFold", "DomainState", "Observation", "explain"]
