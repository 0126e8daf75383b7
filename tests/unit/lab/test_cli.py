from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from snowshed.streams.cli.app import build_app
from snowshed.streams.lab import SCENARIOS


def ran(*words: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(build_app(["lab"]), ["lab", *words], env={"SNOWSHED_BOOTSTRAP": ""})
    return result.exit_code, result.stdout, result.stderr


def test_the_list_names_every_scenario() -> None:
    code, told, _ = ran("list")
    assert code == 0
    assert all(name in told for name in SCENARIOS)
    assert {one["name"] for one in json.loads(ran("list", "--json")[1])} == set(SCENARIOS)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("flood",), "there is no scenario 'flood'; there are retry_storm"),
        (
            ("chain", "--protect", "off,sideways"),
            "there is no protection 'sideways': give one of off",
        ),
        (("chain", "--plot", "chain.pdf"), "must end in .png or .svg"),
        (("chain", "--scale", "0"), "leaves nothing to see of chain"),
    ],
)
def test_a_wrong_word_is_explained_before_anything_starts(words: tuple[str, ...], said: str) -> None:
    code, _, complaint = ran("run", *words)
    assert code == 1
    assert said in complaint
