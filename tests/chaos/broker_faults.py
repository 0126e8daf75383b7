"""What can be done to brokers, and to the way to them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tests.chaos.arenas import Cluster, Single
from tests.chaos.faults import Periodic
from tests.support.proxy import Mode

if TYPE_CHECKING:
    from tests.chaos.run import Run

__all__ = ["BrokerKills", "CoordinatorMoves", "Cuts", "NodeKills"]


class BrokerKills(Periodic):
    """The only broker killed with SIGKILL and started again."""

    def act(self, now: float) -> None:
        """Kill it and bring it back."""
        _ = now
        arena = self.run.arena
        assert isinstance(arena, Single)
        arena.broker.kill()
        self.run.faults["broker kill -9"] += 1
        time.sleep(self.run.random.uniform(0.0, 2.0))
        arena.broker.start()


class NodeKills(Periodic):
    """One of three brokers killed with SIGKILL and started again."""

    def act(self, now: float) -> None:
        """Kill one and bring it back."""
        _ = now
        arena = self.run.arena
        assert isinstance(arena, Cluster)
        node = self.run.random.choice(arena.nodes.running)
        arena.nodes.kill(node)
        self.run.faults["one of three brokers kill -9"] += 1
        time.sleep(self.run.random.uniform(2.0, 8.0))
        arena.nodes.start(node)


class CoordinatorMoves(Periodic):
    """The broker that coordinates the group, or a lane's transactions, stopped in order; its role moves, and back."""

    def act(self, now: float) -> None:
        """Move one of the two there and back."""
        _ = now
        arena, prefix = self.run.arena, self.run.place.topics.prefix
        assert isinstance(arena, Cluster)
        if self.run.random.random() < 0.5:
            node, what = arena.nodes.group_coordinator(prefix), "group coordinator moved"
        else:
            lane = self.run.random.randrange(self.run.place.partitions)
            node = arena.nodes.transaction_coordinator(f"{prefix}-heartbeats-{lane}")
            what = "transaction coordinator moved"
        arena.nodes.stop(node)
        self.run.faults[what] += 1
        arena.nodes.start(node)
        arena.nodes.elect_preferred()
        self.run.faults[what] += 1


class Cuts(Periodic):
    """The network between one worker and the broker cut, in one of several ways, for longer than the session."""

    NAME = "w0"
    _MODES: tuple[Mode, ...] = ("blackhole", "oneway_up", "oneway_down", "reset")

    def __init__(self, run: Run, every: float, seconds: float) -> None:
        super().__init__(run, every)
        self._seconds = seconds
        self._until: float | None = None

    @property
    def _arena(self) -> Single:
        assert isinstance(self.run.arena, Single)
        return self.run.arena

    def arm(self, name: str) -> Mapping[str, str]:
        """Lead one worker through the proxy."""
        return {"SNOWSHED_BOOTSTRAP": self._arena.proxy.address} if name == self.NAME else {}

    def tick(self, now: float) -> None:
        """Mend what has been cut for long enough, and cut anew."""
        if self._until is not None and now >= self._until:
            self._until = None
            self._arena.proxy.switch("pass")
        super().tick(now)

    def act(self, now: float) -> None:
        """Cut."""
        if self._until is None:
            mode = self.run.random.choice(self._MODES)
            self._arena.proxy.switch(mode)
            self._until = now + self._seconds * self.run.random.uniform(0.7, 1.4)
            self.run.faults[f"network cut: {mode}"] += 1

    def settle(self) -> None:
        """Mend."""
        self._arena.proxy.switch("pass")
