"""`snowshed worker --processes 2`: a worker that dies costs its group no session, and nothing outlives the supervisor.

Sessions are long throughout, so that no test can pass because one ended.
"""

from __future__ import annotations

import json
import os
import pty
import signal
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import psutil  # type: ignore[import-untyped]
import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._resource import ResourceType
from tests.support.core_rig import wait_until
from tests.support.fleet import WORKER, Fleet, Running

from snowshed.schemas.topics import AGENTS
from snowshed.streams.broker import Broker
from snowshed.streams.provision import provision
from snowshed.streams.transactions.protocol import Protocol

pytestmark = pytest.mark.e2e

SESSION = 45
"""Seconds; what follows a death must follow it much sooner."""
SOON = 20.0
START_LIMIT = 90.0
STOP_LIMIT = 30.0
PARTITIONS = 2
INPUTS = len(AGENTS) * PARTITIONS


@dataclass(frozen=True, slots=True)
class Supervised:
    """A supervisor and what its log and its group tell of its workers."""

    running: Running
    admin: AdminClient
    group: str

    def events(self, name: str) -> list[dict[str, Any]]:
        """The events of this name, from the supervisor and its workers, in order."""
        lines = self.running.log.read_text(errors="replace").splitlines()
        events = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
        return [event for event in events if event["event"] == name]

    def latest(self, name: str, key: str) -> Mapping[int, Any]:
        """What the latest event of this name says of each worker."""
        return {event["worker"]: event[key] for event in self.events(name)}

    def members(self) -> dict[str, int]:
        """How many partitions each member of the group holds."""
        answers = cast("dict[str, Any]", self.admin.describe_consumer_groups([self.group]))
        members = answers[self.group].result().members
        return {member.member_id: len(member.assignment.topic_partitions) for member in members}

    def settled(self) -> bool:
        """Whether both workers share all partitions."""
        assert self.running.process.poll() is None, self.running.tail()
        joined = set(self.latest("membership", "member").values())
        # A broker that has just started keeps whoever asks about a group before it has one waiting for a minute.
        if len(joined) < 2 or not all(joined):
            return False
        held = self.members()
        return set(held) == joined and sum(held.values()) == INPUTS and all(held.values())

    def family(self) -> list[psutil.Process]:
        return [psutil.Process(pid) for pid in self.latest("worker_started", "pid").values() if psutil.pid_exists(pid)]


@contextmanager
def supervised(kafka: Broker, prefix: str, folder: Path, protocol: Protocol) -> Generator[Supervised]:
    """Two workers under a supervisor, in a group with a long session, once they share the work."""
    settings = {"SNOWSHED_GROUP_PROTOCOL": protocol, "SNOWSHED_SESSION": str(SESSION)}
    with Fleet(kafka.bootstrap, prefix, folder, PARTITIONS, settings) as fleet:
        provision(fleet.connection, fleet.topics)
        admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
        lengthen_session(admin, prefix)
        both = Supervised(fleet.supervisor(), admin, prefix)
        wait_until(both.settled, START_LIMIT, what="both workers share the partitions")
        yield both


def lengthen_session(admin: AdminClient, group: str) -> None:
    """Under KIP-848 the broker sets the session, and ours sets a short one."""
    entry = ConfigEntry("consumer.session.timeout.ms", str(SESSION * 1000), incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.GROUP, group, incremental_configs=[entry])
    answers = cast("dict[ConfigResource, Any]", admin.incremental_alter_configs([resource]))
    answers[resource].result()


def living(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [process for process in processes if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_a_worker_that_is_killed_is_out_of_its_group_long_before_its_session_ends_and_comes_back(
    kafka: Broker, prefix: str, tmp_path: Path, protocol: Protocol
) -> None:
    with supervised(kafka, prefix, tmp_path, protocol) as both:
        victim = both.latest("worker_started", "pid")[0]
        dead = both.latest("membership", "member")[0]
        os.kill(victim, signal.SIGKILL)

        def taken_over() -> bool:
            held = both.members()
            return dead not in held and sum(held.values()) == INPUTS

        wait_until(taken_over, SOON, what="the survivors hold all partitions")
        [ended] = both.events("worker_ended")
        assert (ended["worker"], ended["pid"], ended["ending"]) == (0, victim, "SIGKILL")
        [removed] = both.events("member_removed")
        assert (removed["member"], removed["protocol"], removed["outcome"]) == (dead, protocol, "left")
        wait_until(both.settled, START_LIMIT, what="the worker that was killed takes part again")
        assert both.latest("worker_started", "pid")[0] != victim

        family = both.family()
        assert len(living(family)) == 2
        assert both.running.stop(STOP_LIMIT) == 0
        assert living(family) == []
        assert both.members() == {}


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_sighup_restarts_one_worker_after_the_other_while_the_group_is_never_empty(
    kafka: Broker, prefix: str, tmp_path: Path, protocol: Protocol
) -> None:
    with supervised(kafka, prefix, tmp_path, protocol) as both:
        before = both.latest("worker_started", "pid")
        steps: list[Mapping[int, int]] = [before]
        both.running.process.send_signal(signal.SIGHUP)

        def done() -> bool:
            assert both.members() != {}, both.running.tail()
            now = both.latest("worker_started", "pid")
            if now != steps[-1]:
                steps.append(now)
            return bool(both.events("rolling_restart_done"))

        wait_until(done, 2 * START_LIMIT, what="both workers were restarted")
        first, second = (dict(step) for step in steps[1:])
        assert first == {**before, 0: first[0]}
        assert second == {**first, 1: second[1]}
        assert not set(second.values()) & set(before.values())
        assert [event["ending"] for event in both.events("worker_ended")] == ["exit code 0"] * 2
        wait_until(both.settled, START_LIMIT, what="both workers share the partitions again")


def test_workers_end_with_a_supervisor_that_is_killed(kafka: Broker, prefix: str, tmp_path: Path) -> None:
    with supervised(kafka, prefix, tmp_path, "classic") as both:
        family = both.family()
        assert len(living(family)) == 2
        both.running.kill()
        wait_until(lambda: living(family) == [], STOP_LIMIT, what="the workers ended")
        wait_until(lambda: both.members() == {}, STOP_LIMIT, what="they left the group in order")


def test_settings_that_no_worker_can_work_with_end_the_supervisor_with_their_sentence(
    kafka: Broker, prefix: str, tmp_path: Path
) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text("[retry]\nbudgte = 0.1\n")
    with Fleet(kafka.bootstrap, prefix, tmp_path, PARTITIONS, {"SNOWSHED_POLICY": str(policy)}) as fleet:
        running = fleet.supervisor()
        assert running.process.wait(START_LIMIT) == 1
        *_, last = running.log.read_text().splitlines()
        assert last.startswith("snowshed: ")
        assert "budgte" in last


def test_a_terminal_that_closes_ends_the_supervisor_instead_of_rolling_its_workers(
    kafka: Broker, prefix: str, tmp_path: Path
) -> None:
    ours, theirs = pty.openpty()
    with Fleet(kafka.bootstrap, prefix, tmp_path, PARTITIONS) as fleet:
        # The terminal is its standard input, in front of which setsid seats it.
        command = ["sh", "-c", f'exec setsid --ctty "$@" <{os.ttyname(theirs)}', "sh", *WORKER]
        running = fleet.supervisor(command)
        os.close(theirs)
        both = Supervised(running, AdminClient({"bootstrap.servers": kafka.bootstrap}), prefix)
        wait_until(lambda: len(both.events("worker_started")) == 2, START_LIMIT, what="it runs")
        family = both.family()
        os.close(ours)
        assert running.process.wait(STOP_LIMIT) == 0
        assert living(family) == []
