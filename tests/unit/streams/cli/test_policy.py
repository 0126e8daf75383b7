"""`snowshed policy`: check, diff, try and show, on files."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from snowshed.streams.cli.app import build_app
from snowshed.streams.cli.policy_words import meaning
from snowshed.streams.policy import Policy
from snowshed.streams.policy.document import leaves

_TEXT = "[retry]\nact = 2.5\n[edges]\nwindow = 2\n[services.checkout]\nprotected = true\n"


def run(*words: str | Path) -> Result:
    line = ["policy", *map(str, words)]
    return CliRunner().invoke(build_app(line), line)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "policy.toml"
    path.write_text(_TEXT)
    return path


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    path = tmp_path / "wrong.toml"
    path.write_text('[retyr]\nact = 2.5\n[edges]\nwindow = "2"\n')
    return path


def test_check_tells_every_mistake_with_its_line(wrong: Path, file: Path) -> None:
    result = run("check", wrong)
    assert result.exit_code == 1
    assert f"{wrong}:1:2: policy.retyr is not a setting: did you mean retry?" in result.stderr
    assert f"{wrong}:4:1: policy.edges.window must be a number, not '2'" in result.stderr
    sound = run("check", file)
    assert sound.exit_code == 0
    assert "valid, 3 settings other than the built-in ones" in sound.stdout


def test_check_gives_programs_the_mistakes_one_by_one(wrong: Path, file: Path) -> None:
    result = run("check", "--json", wrong)
    told = json.loads(result.stdout)
    assert (result.exit_code, told["valid"]) == (1, False)
    assert [(one["line"], one["column"], one["key"]) for one in told["problems"]] == [
        (1, 2, "policy.retyr"),
        (4, 1, "policy.edges.window"),
    ]
    assert json.loads(run("check", "--json", file).stdout)["settings"] == 3


def test_diff_says_what_changes_for_whom(file: Path) -> None:
    result = run("diff", "built-in", file)
    assert result.exit_code == 3
    assert "for every call edge\n  edges.window: 1 s → 2 s\n" in result.stdout
    assert "for every called service\n  retry.act: 1.5 → 2.5\n    Attempts per first attempt" in result.stdout
    assert "for service checkout\n  services.checkout.protected: false → true" in result.stdout
    told = json.loads(run("diff", "--json", file, "built-in").stdout)
    assert [(one["key"], one["a"], one["b"]) for one in told["changes"]] == [
        ("edges.window", 2.0, 1.0),
        ("retry.act", 2.5, 1.5),
        ("services.checkout.protected", True, False),
    ]


def test_diff_names_a_feature_and_takes_an_undeclared_one_at_its_defaults(tmp_path: Path) -> None:
    file = tmp_path / "features.toml"
    file.write_text('[features.reviews]\nservice = "ratings"\nowner = "shop"\nlevel = 2\n')
    told = run("diff", "built-in", file).stdout
    assert 'for feature reviews\n  features.reviews.service: "" → "ratings"' in told
    assert "features.reviews.owner" in told
    assert "features.reviews.level" not in told


def test_diff_of_files_that_judge_alike_ends_with_zero(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text(_TEXT.replace("[retry]", "# why\n[services.search]\n[retry]"))
    result = run("diff", file, other)
    assert (result.exit_code, "Both judge alike." in result.stdout) == (0, True)


def test_show_has_every_setting_with_its_unit_and_where_it_comes_from(file: Path) -> None:
    lines = run("show", file).stdout.splitlines()
    assert f"retry.act = 2.5  [{file}:2]  {meaning(('retry', 'act')).text}" in lines
    assert any(line.startswith("overload.dwell = 10 s  [built-in P]  Shortest time") for line in lines)
    assert len(run("show", "--changed", file).stdout.splitlines()) == 3
    told = json.loads(run("show", "--json").stdout)
    assert {one["key"] for one in told["settings"]} == {".".join(path) for path, _ in leaves(Policy())}


def test_every_setting_has_a_meaning_and_every_number_a_source_or_none_to_state() -> None:
    without = [".".join(path) for path, _ in leaves(Policy()) if not meaning(path).text]
    assert without == []
    unmarked = [
        ".".join(path)
        for path, value in leaves(Policy())
        if isinstance(value, float) and not re.search("[PSF]", meaning(path).source)
    ]
    assert unmarked == []


def test_try_replays_a_recording_under_the_policy_beside_the_one_recorded(tmp_path: Path) -> None:
    recording = tmp_path / "storm.jsonl.gz"
    words = ("publish", "scenario", "retry-storm", "--duration", "4", "--out", str(recording))
    assert CliRunner().invoke(build_app(words), words).exit_code == 0
    calm = tmp_path / "calm.toml"
    calm.write_text("[retry]\nact = 50.0\ncertain = 50.0\n")
    result = run("try", calm, recording)
    assert result.exit_code == 0
    assert f"A = built-in, B = {calm}" in result.stdout
    assert "incidents: 1 only under A, 0 only under B" in result.stdout


def test_show_takes_a_file_or_what_was_applied(file: Path) -> None:
    result = run("show", file, "--applied")
    assert result.exit_code == 1
    assert "give a file or --applied, not both" in result.stderr
