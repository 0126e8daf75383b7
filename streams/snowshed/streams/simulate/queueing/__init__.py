"""A fleet of queues: what happens to requests when a service has less capacity than its callers have patience."""

from snowshed.streams.simulate.queueing.calibrated import calibrated
from snowshed.streams.simulate.queueing.catalogue import NAMED
from snowshed.streams.simulate.queueing.intervals import write_intervals
from snowshed.streams.simulate.queueing.scenario import Scenario
from snowshed.streams.simulate.queueing.seconds import Second
from snowshed.streams.simulate.queueing.summary import Summary, summarize
from snowshed.streams.simulate.queueing.telemetry import telemetry

__all__ = ["NAMED", "Scenario", "Second", "Summary", "calibrated", "summarize", "telemetry", "write_intervals"]
