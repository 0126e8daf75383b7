"""One run: a case with a seed against a system; workers, a feeder, faults, and then the reckoning."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from tests.chaos.faults import Raising
from tests.chaos.feeder import Feeder
from tests.chaos.oracle import Differences, Expected, compare, expect
from tests.chaos.processes import Pack, WorkerProcess
from tests.chaos.reading import committed, ends, read
from tests.chaos.systems import Place, System, letters, notices
from tests.chaos.worker import BUG

from snowshed.schemas.topics import Topics

if TYPE_CHECKING:
    from tests.chaos.arenas import Arena
    from tests.chaos.cases import Case

__all__ = ["Plan", "Run", "Verdict", "carry_out"]

_TICK = 0.05
_START_SECONDS = 20.0
_DRAIN_SECONDS = 120.0
_SETTLE_SECONDS = 45.0
_REVIVAL_SECONDS = 0.6
_PARTITIONS = 4
_MAX_RESIDENT = 400 * 2**20
_CLIENTS = 4
"""Kafka clients of a worker beside its lanes' producers: the consumer, two of the restorer, the page's."""
_RELEASE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a run came to."""

    system: str
    case: str
    seed: int
    protocol: str
    faults: Mapping[str, int]
    exits: Mapping[int, int]
    expected: int
    seconds: float
    differences: Differences
    resident: int
    """Most memory that a worker held at the end, bytes."""

    @property
    def ok(self) -> bool:
        """Whether every decision was taken exactly once."""
        return self.differences.none

    def __str__(self) -> str:
        faults = ", ".join(f"{count} {name}" for name, count in sorted(self.faults.items()))
        outcome = "pass" if self.ok else f"FAIL {self.differences.told}"
        return (
            f"{self.system} {self.case} seed {self.seed} {self.protocol}: {outcome} "
            f"[{self.expected} decisions, faults: {faults or 'none'}, exits {dict(self.exits)}, "
            f"{self.seconds:.0f} s, {self.resident / 2**20:.0f} MiB]"
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run: the same plan again makes the same records and the same choice of faults."""

    system: System
    case: Case
    seed: int
    protocol: str
    prefix: str


class Run:
    """What faults see of a run, and may do in it.

    Args:
        plan: what to run.
        arena: the brokers.
        folder: takes the workers' logs.
    """

    def __init__(self, plan: Plan, arena: Arena, folder: Path) -> None:
        self.plan, self.case, self.system, self.arena = plan, plan.case, plan.system, arena
        self.random = random.Random(f"{plan.case.name}-{plan.seed}")
        self.faults = Counter[str]()
        topics = Topics(plan.prefix, partitions=_PARTITIONS, replication=arena.replication)
        self.place = Place(arena.connection, topics)
        self.pack = Pack(plan.system.command, self._environment(), folder)
        case = plan.case
        self.feeder = Feeder(
            arena.connection, self.place.input, rate=case.rate, seconds=case.seconds, seed=plan.seed, mix=case.mix
        )
        self.injected = [make(self) for make in case.faults]
        self._due: dict[str, float] = {}

    def _environment(self) -> Mapping[str, str]:
        return {
            "SNOWSHED_BOOTSTRAP": self.arena.connection.bootstrap,
            "SNOWSHED_PREFIX": self.place.topics.prefix,
            "SNOWSHED_APP": self.place.topics.prefix,
            "SNOWSHED_PARTITIONS": str(_PARTITIONS),
            "SNOWSHED_REPLICATION": str(self.arena.replication),
            "SNOWSHED_GROUP_PROTOCOL": self.plan.protocol,
            "SNOWSHED_SESSION": "2",
            "SNOWSHED_TRANSACTION_TIMEOUT": "5",
            "SNOWSHED_WEB_PORT": "0",
            "SNOWSHED_LOG_FORMAT": "json",
            **self.arena.worker_environment,
            **self.case.environment,
        }

    def start(self, name: str) -> WorkerProcess:
        """Start a worker, armed by the faults while there is something to feed."""
        extra: dict[str, str] = {}
        for fault in self.injected:
            extra.update(fault.arm(name))
        return self.pack.start(name, extra)

    def revive(self, now: float) -> None:
        """Start again, after a moment, what has ended."""
        for worker in self.pack.bury():
            if worker.point and worker.process.returncode == -signal.SIGKILL:
                self.faults[f"kill -9 {worker.point.split(':')[0]}"] += 1
            self._due[worker.name] = now + self.random.uniform(0, _REVIVAL_SECONDS)
        for name, due in list(self._due.items()):
            if now >= due:
                del self._due[name]
                self.start(name)

    def postpone(self, name: str, until: float) -> None:
        """Let a worker that has ended stay away."""
        self._due[name] = until


def carry_out(run: Run) -> Verdict:
    """Do it all; the verdict."""
    started = time.monotonic()
    run.system.prepare(run.place)
    with run.pack:
        for number in range(run.case.workers):
            run.start(f"w{number}")
        _await_work(run)
        run.feeder.start()
        while not run.feeder.fed:
            _tick(run)
        for fault in run.injected:
            fault.settle()
        run.feeder.join()
        expected = expect(read(run.place.connection, run.place.input))
        drained = _await_drained(run, expected)
        resident = max((worker.vitals.resident for worker in run.pack.alive), default=0)
        complaints = [*_complaints(run, expected, drained), *(_stopped(run) if run.system.tidy else ())]
    _count_quiet_faults(run)
    differences = compare(
        expected,
        ids=notices(run.place),
        letters=letters(run.place),
        state=run.system.state(run.place),
        others=[*complaints, *_open_transactions(run)],
    )
    _forget(run)
    return Verdict(
        run.system.name,
        run.case.name,
        run.plan.seed,
        run.plan.protocol,
        dict(+run.faults),
        dict(run.pack.ended),
        len(expected.ids) + len(expected.letters),
        time.monotonic() - started,
        differences,
        resident,
    )


def _forget(run: Run) -> None:
    """Delete the run's topics, so that the broker does not slow down from run to run."""
    admin = AdminClient(run.place.connection.librdkafka({"log_level": 0}))
    own = [name for name in admin.list_topics(timeout=30).topics if name.startswith(run.place.topics.prefix)]
    answers = cast("Mapping[str, Any]", admin.delete_topics(own))
    for answer in answers.values():
        answer.result(60)


def _count_quiet_faults(run: Run) -> None:
    if any(isinstance(fault, Raising) for fault in run.injected):
        run.faults["rule raised"] += run.pack.logged(BUG)
    run.faults["bad record or aborted input transaction"] += run.feeder.injected


def _await_work(run: Run) -> None:
    """Let the workers get to work before the records flow; those that are to die at their start need not."""
    deadline = time.monotonic() + _START_SECONDS
    while run.system.tidy and time.monotonic() < deadline and not run.pack.logged('"state": "open"'):
        run.revive(time.monotonic())
        time.sleep(_TICK)


def _tick(run: Run) -> None:
    now = time.monotonic()
    for fault in run.injected:
        fault.tick(now)
    run.revive(now)
    time.sleep(_TICK)


def _await_drained(run: Run, expected: Expected) -> bool:
    """Wait until the group's offsets stand behind the input's last records, whatever still dies on the way."""
    deadline = time.monotonic() + _DRAIN_SECONDS
    while time.monotonic() < deadline:
        run.revive(time.monotonic())
        for worker in run.pack.alive:
            if worker.stopped:
                worker.thaw()
        try:
            found = committed(run.place.connection, run.place.topics.prefix, run.place.input, run.place.partitions)
        except KafkaException:
            continue
        if all(found[partition] >= end for partition, end in expected.ends.items()):
            return True
        time.sleep(0.2)
    return False


def _complaints(run: Run, expected: Expected, drained: bool) -> Iterator[str]:
    if not drained:
        yield f"the group's offsets are not at the input's end after {_DRAIN_SECONDS:.0f} s"
    if run.feeder.failed:
        yield f"the feeder lost records: {run.feeder.failed[0]}"
    # More may be there than was acknowledged: Kafka's client repeats what it got no answer for, and where a leader was
    # lost not even idempotence always recognises that.
    missing = sorted((Counter(run.feeder.acknowledged) - Counter(expected.numbers)).elements())
    if missing:
        yield f"the input lacks {len(missing)} acknowledged numbers, such as {missing[:5]}"


def _stopped(run: Run) -> Iterable[str]:
    """Stop the workers that live; what is wrong with what they hold or how they end."""
    found = [complaint for worker in run.pack.alive for complaint in _excess(worker)]
    for worker in run.pack.alive:
        code = worker.stop()
        # One that is still starting has no handler for SIGTERM yet, and one that is armed may strike to the last.
        excused = {-signal.SIGTERM} if not worker.events else {-signal.SIGKILL} if worker.point else set[int | None]()
        if code != 0 and code not in excused:
            how = "had to be killed" if code is None else f"ended with {code}"
            found.append(f"{worker.name} {how} when it was told to stop:\n{worker.tail()}")
    return found


def _excess(worker: WorkerProcess) -> Iterator[str]:
    vitals = worker.vitals
    if vitals.resident > _MAX_RESIDENT:
        yield f"{worker.name} holds {vitals.resident / 2**20:.0f} MiB"
    deadline = time.monotonic() + _RELEASE_SECONDS
    while (vitals := worker.vitals).clients > worker.lanes + _CLIENTS and worker.alive:
        if time.monotonic() > deadline:
            yield f"{worker.name} has {vitals.clients} Kafka clients for {worker.lanes} lanes: {dict(vitals.threads)}"
            break
        time.sleep(0.2)


def _open_transactions(run: Run) -> Iterator[str]:
    """Transactions still open some seconds after everybody has gone."""
    topics = run.system.written(run.place)
    deadline = time.monotonic() + _SETTLE_SECONDS
    while True:
        stable = ends(run.place.connection, topics, stable=True)
        whole = ends(run.place.connection, topics, stable=False)
        held = sorted(place for place, end in whole.items() if stable[place] < end)
        if not held or time.monotonic() > deadline:
            break
        time.sleep(0.5)
    for topic, partition in held:
        yield f"a transaction is open on {topic}[{partition}]"
