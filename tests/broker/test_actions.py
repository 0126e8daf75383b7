"""Actions on real Kafka: each once or at most once as declared, wherever its executor dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import orjson
import pytest
from confluent_kafka import Producer
from tests.support.core_rig import Rig, wait_until
from tests.support.noticing import incident
from typer.testing import CliRunner

from snowshed.schemas.codec import Codec
from snowshed.schemas.records import ActionState, ActionStatus, Incident, IncidentStatus
from snowshed.streams.broker import Broker
from snowshed.streams.cli.app import build_app

CHILD = Path(__file__).parent / "actions_child.py"
BEGUN = ("proposed", "approved", "claimed", "running")
DONE = (*BEGUN, "done")


@dataclass(slots=True)
class Stage:
    """Topics of their own, a file that actions leave their mark in, and executors."""

    rig: Rig
    folder: Path
    mode: str = "automatic"
    guarantee: str = "at_most_once"
    script: str = ""
    timeout: float = 20.0
    budget: int = 5
    running: ExitStack = field(default_factory=ExitStack)

    @property
    def marks(self) -> Path:
        return self.folder / "marks"

    @property
    def config(self) -> Path:
        file = self.folder / "runbooks.toml"
        script = f"echo $$SNOWSHED_ACTION >> {self.marks}; {self.script or 'true'}"
        file.write_text(
            f"""
[budget]
count = {self.budget}
total = 10
[[runbooks]]
name = "restart"
mode = "{self.mode}"
match = {{ kind = "overload" }}
budget = {{ count = 10, total = 10 }}
conditions = {{ spacing = 0 }}
[[runbooks.steps]]
do = "restart"
with = "command"
command = ["sh", "-c", '''{script}''', "$service"]
guarantee = "{self.guarantee}"
timeout = {self.timeout}
"""
        )
        return file

    def executor(self, dies: str = "never") -> subprocess.Popen[bytes]:
        words = [sys.executable, str(CHILD), self.rig.bootstrap, self.rig.prefix, str(self.config), dies]
        child = subprocess.Popen(words, env=own_environment() | {"PYTHONPATH": os.pathsep.join(sys.path)})
        self.running.callback(ended, child)
        return child

    def tell(self, *incidents: Incident) -> None:
        producer = Producer({"bootstrap.servers": self.rig.bootstrap, "partitioner": "murmur2_random"})
        for one in incidents:
            producer.produce(self.rig.topics.full("incidents"), Codec().encode(one), one.incident_id)
        assert producer.flush(30) == 0

    def states(self) -> list[ActionState]:
        return [one for one in self.rig.read("actions") if isinstance(one, ActionState)]

    def course(self) -> tuple[str, ...]:
        return tuple(one.status.value for one in self.states())

    def ran(self) -> Counter[str]:
        """How often each action left its mark."""
        return Counter(self.marks.read_text().split()) if self.marks.exists() else Counter()

    def cli(self, *words: str, expect: int = 0) -> Any:
        everything = ["actions", *words, "--json", "--bootstrap", self.rig.bootstrap, "--prefix", self.rig.prefix]
        done = CliRunner().invoke(build_app(everything), everything)
        assert done.exit_code == expect, done.output
        said = [line for line in done.stdout.splitlines() if line.startswith("{")]  # else the log of this process
        return orjson.loads(said[-1]) if said else None

    def await_course(self, *courses: tuple[str, ...], timeout: float = 40.0) -> None:
        wait_until(lambda: self.course() in courses, timeout, what=f"{courses}; it went {self.course()}")


def own_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("SNOWSHED_")}


def ended(child: subprocess.Popen[bytes]) -> None:
    child.send_signal(signal.SIGCONT)
    child.send_signal(signal.SIGTERM)
    child.wait(60)


@pytest.fixture
def staged(kafka: Broker, prefix: str, tmp_path: Path) -> Generator[Callable[..., Stage]]:
    numbers = count()
    with ExitStack() as stack:

        def stage(**options: Any) -> Stage:
            number = next(numbers)
            rig, folder = Rig(kafka.bootstrap, f"{prefix}-{number}", partitions=1), tmp_path / str(number)
            folder.mkdir()
            found = Stage(rig, folder, **options)
            stack.enter_context(found.running)
            return found

        yield stage


def told(name: str = "i1", **changes: Any) -> Incident:
    return incident(name, opened_at=time.time(), updated_at=time.time(), **changes)


@dataclass(frozen=True, slots=True)
class Death:
    """Where an executor dies, and what has to be left after that."""

    dies: str
    guarantee: str
    runs: int
    course: tuple[str, ...]
    script: str = ""


DEATHS = (
    Death("proposed", "at_most_once", 1, DONE),
    Death("claimed", "at_most_once", 1, ("proposed", "approved", "claimed", "claimed", "running", "done")),
    Death("running", "at_most_once", 0, (*BEGUN, "unknown")),
    Death("in the action", "at_most_once", 1, (*BEGUN, "unknown"), script="kill -9 $$PPID; sleep 0.2"),
    Death("ended", "at_most_once", 1, (*BEGUN, "unknown")),
    Death("ended", "idempotent", 2, (*BEGUN, "running", "done")),
)


def test_an_executor_killed_at_any_point_leaves_what_was_declared_and_replays_run_nothing_again(
    staged: Callable[..., Stage],
) -> None:
    stages = [(death, staged(guarantee=death.guarantee, script=death.script)) for death in DEATHS]
    first = [stage.executor(death.dies) for death, stage in stages]
    for _, stage in stages:
        stage.tell(told())
    wait_until(lambda: all(child.poll() == -signal.SIGKILL for child in first), 60, what="every one dies")
    for _, stage in stages:
        stage.executor()
    for death, stage in stages:
        stage.await_course(death.course)
        stage.tell(told(), told())
    time.sleep(0.5)  # nothing is to happen, which no condition tells
    for death, stage in stages:
        assert stage.course() == death.course
        assert (sum(stage.ran().values()), death) == (death.runs, death)
        assert len(stage.ran()) <= 1, "one key in every run"


def test_of_two_executors_one_acts_and_one_that_slept_through_its_successor_writes_nothing(
    staged: Callable[..., Stage],
) -> None:
    stage = staged(script="sleep 2")
    first = stage.executor()
    stage.tell(told())
    wait_until(lambda: sum(stage.ran().values()) == 1, what="it runs")
    second = stage.executor()
    os.kill(first.pid, signal.SIGSTOP)
    stage.await_course((*BEGUN, "unknown"))
    os.kill(first.pid, signal.SIGCONT)
    stage.tell(told("i2", subject="cart"))
    wait_until(lambda: len(stage.ran()) == 2, what="the successor acts")
    wait_until(lambda: stage.course()[5:] == DONE, what=f"both are settled; it went {stage.course()}")
    assert set(stage.ran().values()) == {1}
    assert {one.by for one in stage.states() if one.incident_id == "i2" and one.status is ActionStatus.DONE} == {
        f"child-{second.pid}"
    }


def test_a_person_approves_and_refuses_by_the_command_line(staged: Callable[..., Stage]) -> None:
    stage = staged(mode="approval")
    stage.executor()
    stage.tell(told(), told("i2", subject="cart"))
    stage.await_course(("proposed", "proposed"))
    listed = {one["incident_id"]: one["action_id"] for one in stage.cli("list")["actions"]}
    assert stage.cli("approve", listed["i1"], "--by", "eva", "--reason", "go")["status"] in {"approved", *DONE}
    assert stage.cli("reject", listed["i2"][:8], "--by", "max")["status"] == "refused"
    wait_until(lambda: "done" in stage.course(), what="it runs")
    assert list(stage.ran()) == [listed["i1"]]
    words = {one.status.value: one for one in stage.states()}
    assert (words["approved"].by, words["approved"].reason, words["refused"].by) == ("eva", "go", "max")
    stage.cli("approve", listed["i2"], expect=1)


def test_a_spent_budget_a_dry_run_and_a_time_that_is_over(staged: Callable[..., Stage]) -> None:
    spent, dry = staged(budget=1), staged(mode="dry_run")
    slow = staged(script="sleep 30", timeout=0.3)
    for stage in (spent, dry, slow):
        stage.executor()
        stage.tell(told())
    spent.await_course(DONE)
    spent.tell(told(status=IncidentStatus.CLOSED, closed_at=time.time()), told("i2"))
    spent.await_course((*DONE, "proposed", "proposed"))
    assert "a person must approve it" in spent.states()[-1].reason
    dry.await_course(("proposed", "rehearsed"))
    assert dry.states()[-1].reason.startswith("dry run: would sh -c ")
    assert not dry.ran()
    slow.await_course((*BEGUN, "failed"))
    assert slow.states()[-1].output.startswith("killed after 0.3 s")
