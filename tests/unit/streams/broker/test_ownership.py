from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from snowshed.streams.broker import ownership


def test_a_folder_without_a_note_is_free(tmp_path: Path) -> None:
    assert ownership.holder(tmp_path) is None


def test_a_living_process_holds_what_it_claimed_until_it_is_released(tmp_path: Path) -> None:
    ownership.claim(tmp_path, os.getpid())
    assert ownership.holder(tmp_path) == os.getpid()
    ownership.release(tmp_path)
    assert ownership.holder(tmp_path) is None


def test_a_dead_process_holds_nothing(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        ownership.claim(tmp_path, process.pid)
        assert ownership.holder(tmp_path) == process.pid
    assert ownership.holder(tmp_path) is None


def test_a_stranger_with_the_same_process_id_holds_nothing(tmp_path: Path) -> None:
    ownership.claim(tmp_path, os.getpid())
    note = tmp_path / "broker.pid"
    note.write_text(f"{os.getpid()} 1\n")
    assert ownership.holder(tmp_path) is None


def test_a_damaged_note_holds_nothing(tmp_path: Path) -> None:
    (tmp_path / "broker.pid").write_text("")
    assert ownership.holder(tmp_path) is None
