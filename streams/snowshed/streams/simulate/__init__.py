"""A small synthetic fleet and the troubles it can be put through; seeded, so that every run can be had again."""

from snowshed.streams.simulate.events import Event, record_scenario
from snowshed.streams.simulate.fleet import Condition, Load
from snowshed.streams.simulate.recorded import Again, again
from snowshed.streams.simulate.scenarios import SCENARIOS, Scenario, Timeline

__all__ = ["SCENARIOS", "Again", "Condition", "Event", "Load", "Scenario", "Timeline", "again", "record_scenario"]
