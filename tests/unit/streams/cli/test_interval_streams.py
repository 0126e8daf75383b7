"""`snowshed replay` of streams of measurements by interval."""

from __future__ import annotations

import gzip
import random
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner, Result

from snowshed.schemas.errors import ConfigurationError
from snowshed.streams.causes import Alarm, Meta
from snowshed.streams.cli.app import build_app
from snowshed.streams.cli.interval_streams import read_through


def run(*words: str) -> Result:
    return CliRunner().invoke(build_app(words), words)


def lines(calm: int = 60, slow: int = 10, **meta: object) -> Iterator[bytes]:
    """Two nodes at a steady load, of which one becomes slow."""
    draw = random.Random(1)
    yield orjson.dumps({"kind": "meta", "id": "night", "dt": 60, **meta})
    for number in range(calm + slow):
        for node in ("web", "orders"):
            slower = 3.0 if node == "orders" and number >= calm else 1.0
            values = {"requests": 1_000, "errors": 0, "lat_ms": {"avg": slower * draw.gauss(30.0, 1.0)}}
            yield orjson.dumps({"kind": "node", "t": 60 * number, "node": node, **values})


def test_bad_lines_are_told_beside_the_result(tmp_path: Path) -> None:
    file = tmp_path / "night.jsonl"
    good = list(lines())
    file.write_bytes(b"\n".join([*good[:20], b"oops", *good[20:]]))
    told = run("replay", "--causes", str(file))
    assert told.exit_code == 0
    assert orjson.loads(told.stdout)["ranked"] == ["orders"]
    assert "night.jsonl, line 21 is no JSON" in told.stderr


def test_a_file_whose_writer_was_killed_is_read_to_the_tear(tmp_path: Path) -> None:
    file = tmp_path / "night.jsonl.gz"
    packed = gzip.compress(b"\n".join(lines()))
    file.write_bytes(packed[:-40])
    told = run("replay", "--causes", str(file))
    assert orjson.loads(told.stdout)["ranked"] == ["orders"]
    assert "torn at its end" in told.stderr


def test_a_file_of_something_else_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "night.jsonl"
    file.write_bytes(b'{"kind": "node", "t": 0, "node": "a"}\n' + b"nothing\n" * 9)
    with pytest.raises(ConfigurationError, match="9 lines are bad and 1 good"):
        read_through(file)


def test_an_alarm_is_told_while_the_stream_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "night.jsonl"
    file.write_bytes(b"\n".join(lines()))
    heard: list[tuple[Meta, Alarm]] = []
    told = read_through(file, lambda meta, alarm: heard.append((meta, alarm)))
    assert [(meta.id, alarm.node) for meta, alarm in heard] == [("night", "orders")]
    assert told.alarms == tuple(alarm for _, alarm in heard)


def test_an_alarm_that_does_not_say_when_is_taken_to_be_our_own_newest(tmp_path: Path) -> None:
    file = tmp_path / "night.jsonl"
    file.write_bytes(b"\n".join(lines(alarm={"node": "orders", "metric": "latency"})))
    assert orjson.loads(run("replay", "--causes", str(file)).stdout)["ranked"] == ["orders"]
