"""A worker whose Kafka client hangs leaves, and no other does."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from snowshed.streams import hosting
from snowshed.streams.agents.judging import Agents
from snowshed.streams.hosting import CoreService
from snowshed.streams.metrics import Metrics
from snowshed.streams.settings import WorkerSettings


class _Left(BaseException):
    pass


class _Core:
    """A core whose client comes back `returns` times and then no more."""

    def __init__(self, service: CoreService, returns: int, looks: int) -> None:
        self._service, self._most, self._looks = service, returns, looks
        self.looked = 0

    @property
    def returns(self) -> int:
        self.looked += 1
        if self.looked == self._looks:
            cast("Any", self._service)._stopped.set()
        return min(self.looked, self._most)


async def _watched(monkeypatch: pytest.MonkeyPatch, returns: int, looks: int) -> int:
    def leave(reason: str) -> None:
        raise _Left(reason)

    monkeypatch.setattr(hosting, "_LOOK_SECONDS", 0.0001)
    monkeypatch.setattr(hosting, "_leave", leave)
    service = CoreService(cast("WorkerSettings", SimpleNamespace()), {}, Agents({}), Metrics())
    core = _Core(service, returns, looks)
    cast("Any", service)._core = core
    await cast("Any", CoreService)._watch.fun(service)
    return core.looked


async def test_a_worker_whose_client_comes_back_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await _watched(monkeypatch, returns=1_000, looks=200) == 200


async def test_a_worker_whose_client_pauses_for_less_than_a_minute_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await _watched(monkeypatch, returns=10, looks=10 + 59) == 69


async def test_a_worker_whose_client_hangs_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(_Left, match="has not come back for a minute; only a new process helps"):
        await _watched(monkeypatch, returns=10, looks=200)
