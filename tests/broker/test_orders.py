"""Operators' orders through the log: obeyed once, whoever dies, and found again by a replay."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path

import pytest
from tests.support.core_rig import wait_until
from tests.support.fleet import Fleet
from typer.testing import CliRunner, Result

from snowshed.schemas.codec import Codec
from snowshed.schemas.records import Decision, DecisionKind
from snowshed.streams.agents.folds import folds
from snowshed.streams.broker import Broker
from snowshed.streams.cli.app import build_app
from snowshed.streams.policy import Policy
from snowshed.streams.replay.capture import capture
from snowshed.streams.replay.proof import prove


@pytest.fixture
def fleet(kafka: Broker, prefix: str, tmp_path: Path) -> Generator[Fleet]:
    with Fleet(kafka.bootstrap, prefix, tmp_path, settings={"SNOWSHED_SESSION": "6"}) as fleet:
        yield fleet


def run(fleet: Fleet, *words: str) -> Result:
    line = (*words, "--bootstrap", fleet.bootstrap, "--prefix", fleet.prefix)
    return CliRunner().invoke(build_app(line), line)


def misspelt(fleet: Fleet) -> str:
    return run(fleet, "decide", "veto", "chekout", "--reason", "a launch").stderr


def levels(fleet: Fleet) -> list[Decision]:
    found = (Codec().decode(record.message.value) for record in capture(fleet.connection, fleet.topics, ["decisions"]))
    return [one for one in found if isinstance(one, Decision) and one.kind is DecisionKind.DEGRADE]


def test_an_order_is_obeyed_once_whoever_dies_and_a_replay_finds_it_there(fleet: Fleet) -> None:
    first = fleet.worker("first")
    assert run(fleet, "publish", "timing", "--callee", "checkout").exit_code == 0
    wait_until(lambda: "did you mean 'checkout'?" in misspelt(fleet), what="the service that was called")

    high = run(fleet, "decide", "level", "new", "5", "--reason", "a launch", "--domain", "default")
    assert high.exit_code == 1
    assert "degrade_level is 5: it is 0 to 4" in high.stderr
    idle = run(fleet, "decide", "release", "new", "--reason", "over", "--domain", "default")
    assert "no order holds" in idle.stderr

    first.kill()
    told = run(
        fleet, "decide", "level", "new", "2", "--reason", "a launch", "--by", "ann", "--domain", "default", "--json"
    )
    assert told.exit_code == 0, told.output
    order_id = json.loads(told.stdout.splitlines()[-1])["order"]["order_id"]
    fleet.worker("second")
    wait_until(lambda: bool(levels(fleet)), what="the level that was ordered")
    shown = run(fleet, "watch", "--once", "--json")
    assert [(row["scope"], row["reason"]) for row in json.loads(shown.stdout.splitlines()[-1])["decisions"]] == [
        ("new", "pinned by ann until released: a launch")
    ]
    assert run(fleet, "decide", "release", "new", "--reason", "it is over").exit_code == 0
    wait_until(lambda: not levels(fleet)[-1].active, what="the release")

    said = levels(fleet)
    taken = [one for one in said if one.order_id == order_id]
    assert {(one.degrade_level, one.epoch) for one in taken} == {(2, 2)}
    assert [(one.epoch, one.order_id) for one in said if not one.active] == [(3, "")]
    assert len({(one.epoch, one.seq) for one in said}) == len(said)
    proof = prove(fleet.connection, fleet.topics, folds(Policy(), Codec()), Codec())
    assert (proof.differences, proof.unproved) == ((), ())
