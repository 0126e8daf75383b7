from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from snowshed.schemas.errors import ConfigurationError
from snowshed.streams.cli.app import build_app
from snowshed.streams.plotting.picture import require_plotting


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(build_app(words), words)
    return result.exit_code, result.output


def test_a_run_is_told_in_numbers() -> None:
    code, said = run("simulate", "calm", "--seconds", "20")
    assert code == 0
    assert "goodput before" in said
    assert "peak amplification" in said


def test_a_run_is_told_as_json() -> None:
    _, said = run("simulate", "deploy", "--seconds", "70", "--seed", "3", "--json")
    told = orjson.loads(said)
    assert (told["scenario"], told["seed"]) == ("deploy", 3)
    assert told["succeeded"] <= told["offered"]


def test_an_unknown_scenario_is_refused_with_the_known_ones() -> None:
    code, said = run("simulate", "nonsense")
    assert code != 0
    assert "retry-storm" in said


def test_a_recording_is_written(tmp_path: Path) -> None:
    code, _ = run("simulate", "calm", "--seconds", "5", "--out", str(tmp_path / "calm.jsonl.gz"))
    assert code == 0
    assert (tmp_path / "calm.jsonl.gz").stat().st_size > 1000


def test_a_recording_that_was_written_can_be_replayed(tmp_path: Path) -> None:
    file = str(tmp_path / "run.jsonl.gz")
    assert run("simulate", "capacity-loss", "--seconds", "75", "--out", file)[0] == 0
    code, said = run("replay", file)
    assert code == 0
    assert "cascade-default" in said
    assert "payments" in said


def test_a_run_that_ends_before_its_trouble_is_refused() -> None:
    code, said = run("simulate", "retry-storm", "--seconds", "60")
    assert code != 0
    assert "before the trouble of retry-storm begins, at 60 s" in said


def test_a_picture_has_one_of_two_forms() -> None:
    with pytest.raises(ConfigurationError, match=r"\.png or \.svg"):
        require_plotting(Path("run.pdf"))


def test_without_matplotlib_the_extra_to_install_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(_: str) -> None: ...

    monkeypatch.setattr("snowshed.streams.plotting.picture.find_spec", nowhere)
    code, said = run("simulate", "calm", "--plot", "run.png")
    assert code != 0
    assert "snowshed[plot]" in said


def test_with_matplotlib_a_picture_is_drawn(tmp_path: Path) -> None:
    file = tmp_path / "run.svg"
    code, said = run("simulate", "calm", "--seconds", "5", "--plot", str(file))
    if find_spec("matplotlib"):
        assert file.read_text().startswith("<?xml")
    else:
        assert code != 0
        assert "snowshed[plot]" in said
