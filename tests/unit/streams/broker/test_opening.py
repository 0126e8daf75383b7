from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import pytest

from snowshed.schemas.errors import BrokerUnavailable
from snowshed.streams.broker import Broker, BrokerSettings, Kind, Progress
from snowshed.streams.broker.opening import Opener, open_first


def _opener(kind: Kind, log: list[str], *, works: bool) -> Opener:
    @contextmanager
    def opener(_settings: BrokerSettings, _progress: Progress) -> Generator[Broker]:
        log.append(f"try {kind}")
        if not works:
            raise BrokerUnavailable(f"{kind} is not there")
        try:
            yield Broker("127.0.0.1:1", kind, kind)
        finally:
            log.append(f"close {kind}")

    return opener


def test_the_first_kind_that_works_is_used_and_closed() -> None:
    log: list[str] = []
    openers: dict[Kind, Opener] = {
        "docker": _opener("docker", log, works=False),
        "local": _opener("local", log, works=True),
    }
    with open_first(("docker", "local"), openers, BrokerSettings()) as broker:
        assert broker.kind == "local"
        assert log == ["try docker", "try local"]
    assert log == ["try docker", "try local", "close local"]


def test_the_broker_is_closed_when_its_user_fails() -> None:
    log: list[str] = []

    def use() -> None:
        with open_first(("local",), {"local": _opener("local", log, works=True)}, BrokerSettings()):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        use()
    assert log == ["try local", "close local"]


def test_all_reasons_are_given_when_no_kind_works() -> None:
    log: list[str] = []
    kinds: tuple[Kind, ...] = ("docker", "local")
    openers: dict[Kind, Opener] = {kind: _opener(kind, log, works=False) for kind in kinds}
    with pytest.raises(BrokerUnavailable, match=r"docker is not there(.|\n)*local is not there"):
        open_first(kinds, openers, BrokerSettings()).__enter__()
