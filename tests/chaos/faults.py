"""What can be done to workers and brokers while records flow."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from typing import TYPE_CHECKING

from confluent_kafka import Producer
from tests.chaos.failpoints import At, FailPoint
from tests.support.clock import WorkerClock

from snowshed.schemas.connection import Property

if TYPE_CHECKING:
    from tests.chaos.run import Run

__all__ = ["AbortedState", "AllDead", "FailPoints", "Fault", "Freezes", "Kills", "Raising", "Storm"]


class Fault:
    """Does nothing; the others override what they need.

    Args:
        run: the run they belong to.
    """

    def __init__(self, run: Run) -> None:
        self.run = run

    def arm(self, name: str) -> Mapping[str, str]:
        """Environment of a worker that is about to start."""
        _ = name
        return {}

    def tick(self, now: float) -> None:
        """Act, or not; called some twenty times a second while records flow."""

    def settle(self) -> None:
        """Undo what would hinder the workers from finishing."""


class Periodic(Fault):
    """Acts at random moments, at most so often.

    Args:
        run: the run.
        every: mean seconds between two acts.
        first: seconds before the first.
    """

    def __init__(self, run: Run, every: float, first: float = 3.0) -> None:
        super().__init__(run)
        self._every, self._first = every, first
        self._next: float | None = None

    def tick(self, now: float) -> None:
        """Act when the moment has come."""
        if self._next is None:
            self._next = now + self._first * self.run.random.uniform(0.7, 1.3)
        if now >= self._next:
            self._next = now + self._every * self.run.random.uniform(0.5, 1.5)
            self.act(now)

    def act(self, now: float) -> None:
        """Do it."""
        raise NotImplementedError


class FailPoints(Fault):
    """Workers that kill themselves at a step of their own work, each at a random occurrence of it."""

    def __init__(self, run: Run, *where: At) -> None:
        super().__init__(run)
        self._where = where

    def arm(self, name: str) -> Mapping[str, str]:
        """Arm every worker that starts while records flow."""
        _ = name
        if self.run.feeder.fed:
            return {}
        where = self.run.random.choice(self._where)
        often = where in {At.IN_RESTORE, At.IN_ASSIGNMENT}
        nth = self.run.random.randint(1, 3) if often else self.run.random.randint(1, 8)
        return {"CHAOS_FAILPOINT": str(self.point(where, nth))}

    def point(self, where: At, nth: int) -> FailPoint:
        """What happens there."""
        return FailPoint(where, nth, self.run.random.randrange(10**6))


class Kills(Periodic):
    """SIGKILL to a random worker."""

    def act(self, now: float) -> None:
        """Kill one."""
        _ = now
        if alive := self.run.pack.alive:
            self.run.random.choice(alive).kill()
            self.run.faults["kill -9 at random"] += 1


class Storm(Periodic):
    """Graceful stops; the worker comes back a moment later, so the group never comes to rest."""

    def act(self, now: float) -> None:
        """Stop one, without waiting."""
        _ = now
        if alive := self.run.pack.alive:
            self.run.random.choice(alive).signal(signal.SIGTERM)
            self.run.faults["graceful stop and join"] += 1


class Freezes(Periodic):
    """SIGSTOP for longer than the session, then SIGCONT: a zombie that believes it still owns its partitions."""

    def __init__(self, run: Run, every: float, seconds: float) -> None:
        super().__init__(run, every)
        self._seconds = seconds
        self._thaw: dict[str, float] = {}

    def tick(self, now: float) -> None:
        """Thaw what has been frozen for long enough, and freeze anew."""
        for name, due in list(self._thaw.items()):
            if now >= due:
                del self._thaw[name]
                if name in self.run.pack.workers:
                    self.run.pack.workers[name].thaw()
        super().tick(now)

    def act(self, now: float) -> None:
        """Freeze one that is not."""
        awake = [worker for worker in self.run.pack.alive if not worker.frozen]
        if len(awake) > 1:
            worker = self.run.random.choice(awake)
            worker.freeze()
            self._thaw[worker.name] = now + self._seconds * self.run.random.uniform(0.8, 1.3)
            self.run.faults["SIGSTOP beyond the session"] += 1

    def settle(self) -> None:
        """Thaw all."""
        for worker in self.run.pack.alive:
            worker.thaw()


class Raising(Fault):
    """A rule that breaks at a share of the batches."""

    def __init__(self, run: Run, share: float) -> None:
        super().__init__(run)
        self._share = share

    def arm(self, name: str) -> Mapping[str, str]:
        """Give every worker the bug."""
        _ = name
        return {"CHAOS_RAISE": str(self._share)}


class AllDead(Periodic):
    """Every worker killed at once, and nobody back before their transactions have timed out."""

    def __init__(self, run: Run, every: float, away: float) -> None:
        super().__init__(run, every)
        self._away = away

    def act(self, now: float) -> None:
        """Kill all."""
        for worker in self.run.pack.alive:
            worker.kill()
            self.run.faults["all workers killed past the transaction time-out"] += 1
        for worker in self.run.pack.bury():
            self.run.postpone(worker.name, now + self._away)


class Expired(FailPoints):
    """Workers that freeze within a transaction until the broker has given it up, and then go on."""

    def __init__(self, run: Run, seconds: float) -> None:
        super().__init__(run, At.AFTER_PRODUCE, At.AFTER_OFFSETS)
        self._seconds = seconds
        self._thaw: dict[str, float] = {}

    def point(self, where: At, nth: int) -> FailPoint:
        """Freeze instead of dying."""
        return FailPoint(where, nth, 0, signal.SIGSTOP)

    def tick(self, now: float) -> None:
        """Wake those that have been frozen for long enough."""
        for worker in self.run.pack.alive:
            if worker.stopped and worker.name not in self._thaw:
                self._thaw[worker.name] = now + self._seconds
                self.run.faults["frozen beyond the transaction time-out"] += 1
            elif now >= self._thaw.get(worker.name, now + 1):
                worker.thaw()
                del self._thaw[worker.name]

    def settle(self) -> None:
        """Wake all."""
        for worker in self.run.pack.alive:
            worker.thaw()


class ClockSteps(Periodic):
    """The wall clock of one worker stepped half a minute ahead or back."""

    NAME = "w0"

    def __init__(self, run: Run, every: float) -> None:
        super().__init__(run, every)
        self._clock = WorkerClock(run.pack.folder)

    def arm(self, name: str) -> Mapping[str, str]:
        """Give one worker the clock."""
        return self._clock.environment if name == self.NAME else {}

    def act(self, now: float) -> None:
        """Step it, now ahead, now back."""
        _ = now
        self._clock.step(self.run.random.choice((-60.0, 30.0)) if self._clock.shift > 0 else 30.0)
        self.run.faults["clock stepped by half a minute or more"] += 1


class AbortedState(Periodic):
    """Aborted records in the state topic, as a producer that died leaves them."""

    def __init__(self, run: Run, every: float) -> None:
        super().__init__(run, every)
        own: Mapping[str, Property] = {"transactional.id": f"{run.place.topics.prefix}-state-aborter", "log_level": 0}
        self._producer = Producer(run.place.connection.librdkafka(own))
        self._ready = False

    def act(self, now: float) -> None:
        """Write wrong values of real keys, and take them back."""
        _ = now
        if not self._ready:
            self._producer.init_transactions(30)
            self._ready = True
        topic = self.run.place.topics.full("state.heartbeats")
        self._producer.begin_transaction()
        for number in range(24):
            self._producer.produce(topic, b"[999, 999]", f"key-{number}", partition=number % self.run.place.partitions)
        self._producer.flush(10)
        self._producer.abort_transaction(30)
        self.run.faults["aborted records in the state"] += 1
