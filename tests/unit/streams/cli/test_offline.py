"""`publish scenario --out` and `replay`: the whole judgement in files, without a broker."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from snowshed.streams.cli.app import build_app


def run(*words: str) -> Result:
    return CliRunner().invoke(build_app(words), words)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "storm.jsonl.gz"
    assert run("publish", "scenario", "retry-storm", "--out", str(path)).exit_code == 0
    return path


def test_a_scenario_becomes_a_recording_whose_replay_tells_the_incident(recording: Path) -> None:
    result = run("replay", str(recording))
    assert result.exit_code == 0
    assert "no journal to compare with" in result.stdout
    assert "retries-payments-" in result.stdout


def test_replay_prints_json_for_programs(recording: Path) -> None:
    result = run("replay", "--json", str(recording))
    told = json.loads(result.stdout)
    assert told["file"] == str(recording)
    assert told["result"]["records"] > 1_000
    assert told["result"]["differences"] == []
    assert [incident["kind"] for incident in told["result"]["incidents"]] == ["retry_amplification"]


def test_another_policy_comes_to_another_judgement(recording: Path, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text("[retry]\nact = 50.0\n[edges]\namplification = 50.0\n")
    result = run("replay", "--json", "--policy", str(policy), str(recording))
    assert result.exit_code == 0
    assert json.loads(result.stdout)["result"]["incidents"] == []


def test_a_file_that_is_no_recording_is_refused_with_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("hello\n")
    result = run("replay", str(path))
    assert result.exit_code == 1
    assert str(path) in result.stderr
    assert "Traceback" not in result.stderr


def test_an_unknown_scenario_names_the_known_ones() -> None:
    result = run("publish", "scenario", "meteor", "--out", "unused")
    assert result.exit_code == 1
    assert "retry-storm, replica-lag, node-failure, overload" in result.stderr
