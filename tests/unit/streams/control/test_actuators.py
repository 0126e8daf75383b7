"""The graph of what moves what."""

from __future__ import annotations

from dataclasses import fields

from snowshed.schemas.records import DecisionKind
from snowshed.streams.control.actuators import ACTUATORS, Actuator, cycles, unsafe
from snowshed.streams.policy import ControlPolicy, OverloadPolicy


def test_every_cycle_of_our_own_actuators_is_separated_in_time() -> None:
    assert list(cycles(ACTUATORS)), "the local brakes and the levels do act on each other"
    assert unsafe(ACTUATORS) == []


def test_a_cycle_of_equally_fast_actuators_is_found() -> None:
    graph = {"a": Actuator("x", 1.0, ("b",)), "b": Actuator("y", 4.9, ("c",)), "c": Actuator("z", 2.0, ("a",))}
    assert unsafe(graph) == [("a", "b", "c")]
    assert unsafe({**graph, "b": Actuator("y", 5.0, ("c",))}) == []


def test_every_edge_leads_to_an_actuator_and_every_decision_kind_is_one() -> None:
    assert {name for one in ACTUATORS.values() for name in one.acts_on} <= ACTUATORS.keys()
    named = {
        DecisionKind.RATE: "admitted rate",
        DecisionKind.RETRY: "retry budget",
        DecisionKind.BREAKER: "breaker",
        DecisionKind.DEGRADE: "degrade level",
        DecisionKind.CONSISTENCY: "consistency",
    }
    assert named.keys() == set(DecisionKind)
    assert set(named.values()) <= ACTUATORS.keys()


def test_the_periods_are_those_of_the_policy() -> None:
    assert {"dwell", "step"} <= {one.name for one in fields(OverloadPolicy)}
    assert ACTUATORS["degrade level"].period <= OverloadPolicy().dwell
    assert ACTUATORS["exit programme"].period <= ControlPolicy().ramp_every
