"""A process tells whoever started it that it is ready, and nobody else is needed for that."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import closing
from pathlib import Path

import pytest

from snowshed.streams.cli.readiness import READY_VARIABLE, Readiness, tell_ready

_CHILD = "from snowshed.streams.cli.readiness import tell_ready; tell_ready()"


@pytest.fixture
def readiness() -> Generator[Readiness]:
    with closing(Readiness()) as found:
        yield found


def test_a_child_is_heard_once(readiness: Readiness) -> None:
    assert not readiness.heard()
    environment = {**os.environ, READY_VARIABLE: readiness.address}
    subprocess.run([sys.executable, "-c", _CHILD], env=environment, check=True)
    assert readiness.heard()
    assert not readiness.heard()


def test_a_unit_of_systemd_hears_it_at_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as unit:
        unit.bind(str(tmp_path / "notify"))
        monkeypatch.setenv(READY_VARIABLE, str(tmp_path / "notify"))
        tell_ready()
        assert unit.recv(100) == b"READY=1"


def test_nobody_needs_to_listen(readiness: Readiness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(READY_VARIABLE, raising=False)
    tell_ready()
    monkeypatch.setenv(READY_VARIABLE, readiness.address)
    readiness.close()
    tell_ready()


def test_other_news_than_that_is_passed_over(readiness: Readiness) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.sendto(b"STATUS=connecting", f"\0{readiness.address[1:]}")
        assert not readiness.heard()
        other.sendto(b"STATUS=works\nREADY=1", f"\0{readiness.address[1:]}")
        assert readiness.heard()
