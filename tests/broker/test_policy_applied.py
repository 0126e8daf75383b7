"""A policy applied through the log: it holds from its place on, whoever dies, and a replay finds it there."""

from __future__ import annotations

import json
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from itertools import groupby
from pathlib import Path

import pytest
from confluent_kafka import Producer
from tests.support.core_rig import wait_until
from tests.support.fleet import Fleet
from typer.testing import CliRunner, Result

from snowshed.schemas.codec import Codec
from snowshed.schemas.errors import BrokerUnavailable
from snowshed.schemas.records import DeadLetter, Decision, EdgeHealth, Lag, NodeHealth, PolicyChange
from snowshed.streams.agents.folds import folds
from snowshed.streams.broker import Broker
from snowshed.streams.cascade import DomainFold
from snowshed.streams.cli.app import build_app
from snowshed.streams.governed import Governed
from snowshed.streams.policy import Policy, parsed
from snowshed.streams.policy_log import applied_policy, apply_policy
from snowshed.streams.provision import provision
from snowshed.streams.replay import Recording, ReplayResult, replay
from snowshed.streams.replay.capture import capture, captured_topics
from snowshed.streams.replay.log import open_log
from snowshed.streams.replay.proof import prove
from snowshed.streams.transactions.context import LaneLimits
from snowshed.streams.transactions.core import Core
from snowshed.streams.transactions.events import NoWatcher
from snowshed.streams.transactions.judge import DirectJudge
from snowshed.streams.transactions.protocol import GroupSettings

_SPARED = '[datasets.orders]\nprotected = true\n[datasets."late"]\nprotected = true\n'
_STRICT = "[lag]\nslo = 0.3\n"
_LENIENT = '[services.shop]\ndomain = "market"\n'


@pytest.fixture
def fleet(kafka: Broker, prefix: str, tmp_path: Path) -> Generator[Fleet]:
    with Fleet(kafka.bootstrap, prefix, tmp_path, settings={"SNOWSHED_SESSION": "6"}) as fleet:
        yield fleet


def run(fleet: Fleet, *words: str) -> Result:
    line = (*words, "--bootstrap", fleet.bootstrap, "--prefix", fleet.prefix)
    return CliRunner().invoke(build_app(line), line)


def marked(fleet: Fleet, dataset: str, *, lag: float = 30.0, count: int = 2) -> None:
    """A replica of the dataset that is behind; where that is far, nothing is known of it."""
    words = ("--lag", str(lag), "--count", str(count), "--interval", "0.05")
    assert run(fleet, "publish", "marker", "--dataset", dataset, *words).exit_code == 0


def steered(fleet: Fleet, dataset: str) -> list[bool]:
    """Of each decision about where to read the dataset whether it was active, in order."""
    found = (Codec().decode(record.message.value) for record in capture(fleet.connection, fleet.topics, ["decisions"]))
    return [one.active for one in found if isinstance(one, Decision) and one.scope == dataset]


def letters(fleet: Fleet) -> list[DeadLetter]:
    records = capture(fleet.connection, fleet.topics, ["dead-letters"])
    return [one for record in records if isinstance(one := Codec().decode(record.message.value), DeadLetter)]


def readable(fleet: Fleet) -> bool:
    """Whether the new topics' partitions have leaders."""
    with suppress(BrokerUnavailable), open_log(fleet.connection, fleet.topics) as log:
        return applied_policy(log, Codec()) is None
    return False


def observed(fleet: Fleet, change: PolicyChange) -> None:
    producer = Producer({"bootstrap.servers": fleet.bootstrap})
    producer.produce(fleet.topics.full("observations"), Codec().encode(change), b"default", 0)
    assert producer.flush(10) == 0


def test_a_policy_holds_from_its_place_in_the_log_on_whoever_dies_and_a_replay_finds_it_there(
    fleet: Fleet, tmp_path: Path
) -> None:
    file = tmp_path / "spared.toml"
    file.write_text(_SPARED)
    first = fleet.worker("first")
    marked(fleet, "orders")
    wait_until(lambda: steered(fleet, "orders")[-1:] == [True], what="reads of orders are steered")

    first.kill()
    told = run(fleet, "policy", "apply", str(file), "--reason", "we read from the leader", "--json")
    assert told.exit_code == 0, told.output
    assert json.loads(told.stdout)["revision"] == 1
    fleet.worker("second")
    wait_until(lambda: steered(fleet, "orders")[-1:] == [False], what="the steering is taken back")
    marked(fleet, "late")
    marked(fleet, "carts")
    wait_until(lambda: steered(fleet, "carts")[-1:] == [True], what="reads of another dataset are steered")
    assert steered(fleet, "late") == []

    with open_log(fleet.connection, fleet.topics) as log:
        newest = applied_policy(log, Codec())
    assert newest is not None
    assert (newest.revision, newest.text, newest.reason) == (1, _SPARED, "we read from the leader")
    shown = run(fleet, "policy", "show", "--applied", "--changed")
    assert "datasets.orders.protected = true  [revision 1:2]" in shown.stdout

    pinned = replayed(fleet)
    assert any(one.scope == "late" for one in pinned.decisions)


def replayed(fleet: Fleet) -> ReplayResult:
    """What the log would have come to with the change left out, once it was proved and replayed with it."""
    proof = prove(fleet.connection, fleet.topics, folds(Policy(), Codec()), Codec())
    assert (proof.differences, proof.unproved) == ((), ())
    recording = Recording(
        {name: fleet.topics.partitions(name) for name in captured_topics()},
        tuple(capture(fleet.connection, fleet.topics)),
    )
    again = replay(recording, folds(Policy(), Codec()), fleet.topics, Codec())
    assert (again.differences, again.verified) == ((), again.batches)
    return replay(recording, folds(Policy(), Codec(), pinned=True), fleet.topics, Codec())


def judged(fleet: Fleet, dataset: str) -> list[str]:
    """The different statuses of the dataset's replica that level 1 told of, in order."""
    found = (Codec().decode(record.message.value) for record in capture(fleet.connection, fleet.topics, ["lag"]))
    told = [one.status.value for one in found if isinstance(one, Lag) and (one.dataset, one.replica) == (dataset, "r1")]
    return [status for status, _ in groupby(told)]


def domains(fleet: Fleet) -> dict[str, str]:
    """The domain of each node and callee that level 1 told of."""
    found = [Codec().decode(record.message.value) for record in capture(fleet.connection, fleet.topics, ["health"])]
    nodes = {one.node: one.domain for one in found if isinstance(one, NodeHealth)}
    return nodes | {one.callee: one.domain for one in found if isinstance(one, EdgeHealth)}


def test_level_1_takes_a_policy_without_a_restart_and_keeps_it_through_one(fleet: Fleet, tmp_path: Path) -> None:
    strict, lenient = tmp_path / "strict.toml", tmp_path / "lenient.toml"
    strict.write_text(_STRICT)
    lenient.write_text(_LENIENT)
    first = fleet.worker("first")
    late = partial(marked, fleet, lag=1.0, count=80)
    late("orders")
    wait_until(lambda: judged(fleet, "orders")[:1] == ["fresh"], what="orders are within their objective")
    assert "behind" not in judged(fleet, "orders")
    assert run(fleet, "policy", "apply", str(strict)).exit_code == 0
    late("orders")
    wait_until(lambda: "behind" in judged(fleet, "orders"), what="orders are behind the new objective")

    first.kill()
    late("before")
    assert run(fleet, "policy", "apply", str(lenient)).exit_code == 0
    late("after")
    assert run(fleet, "publish", "heartbeat", "--node", "shop-1", "--service", "shop").exit_code == 0
    assert run(fleet, "publish", "timing", "--caller", "web", "--callee", "shop").exit_code == 0
    fleet.worker("second")
    wait_until(lambda: judged(fleet, "after")[:1] == ["fresh"], what="what came after the change is judged")
    assert "behind" in judged(fleet, "before")
    assert "behind" not in judged(fleet, "after")
    wait_until(lambda: domains(fleet) == {"shop-1": "market", "shop": "market"}, what="the other agents obey as well")

    pinned = replayed(fleet)
    assert pinned.differences


@contextmanager
def level_2(fleet: Fleet) -> Generator[Core]:
    provision(fleet.connection, fleet.topics)
    core = Core(
        connection=fleet.connection,
        topics=fleet.topics,
        codec=Codec(),
        group=GroupSettings(fleet.prefix, "consumer", 6.0),
        folds={"domain": Governed(DomainFold, Policy())},
        judge=DirectJudge(),
        watcher=NoWatcher(),
        limits=LaneLimits(tick=0.05),
        fatal=pytest.fail,
    )
    core.start()
    try:
        yield core
    finally:
        core.stop()


def test_a_policy_that_is_older_or_cannot_be_read_becomes_a_dead_letter_with_its_reason(fleet: Fleet) -> None:
    text = "[retry]\nact = 9\n"
    change = PolicyChange(
        domain="default", revision=1, fingerprint=parsed(text).fingerprint, text=text, changed_at=time.time()
    )
    with level_2(fleet):
        wait_until(lambda: readable(fleet), what="the topics can be read")
        for revision in (1, 2):
            assert apply_policy(fleet.connection, fleet.topics, change, Codec()).revision == revision
        observed(fleet, replace(change, fingerprint=parsed("").fingerprint, text=""))
        observed(fleet, replace(change, revision=7, text="[retyr]\n"))
        observed(fleet, replace(change, revision=8, fingerprint="0" * 12))
        wait_until(lambda: len(letters(fleet)) == 3, 60, what="three letters")
    reasons = "\n".join(sorted(letter.reason for letter in letters(fleet)))
    assert "revision 1 of the policy" in reasons
    assert "is not newer than revision 2" in reasons
    assert "policy.retyr is not a setting: did you mean retry?" in reasons
    assert "000000000000 was announced" in reasons


def test_an_invalid_file_is_not_applied(fleet: Fleet, tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_text("[retyr]\n")
    result = run(fleet, "policy", "apply", str(file))
    assert result.exit_code == 1
    assert f"{file}:1:2: policy.retyr is not a setting" in result.stderr
