"""The command line as a whole: what it lists, what it imports and how commands end."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest
import typer
from typer.testing import CliRunner, Result

from snowshed.schemas.errors import ConfigurationError
from snowshed.streams.cli.app import COMMANDS, build_app
from snowshed.streams.cli.guarding import EXIT_ERROR, EXIT_INTERRUPTED, Flags, guarded

HEAVY = ("confluent_kafka", "fastavro", "faust", "pydantic", "numpy", "aiohttp")


def run(*words: str) -> Result:
    return CliRunner().invoke(build_app(words), words, terminal_width=200, env={"COLUMNS": "200"})


def ending_of(error: BaseException, *words: str) -> Result:
    """How a command ends that raises this."""

    def command() -> None:
        raise error

    flags = Flags(debug="--debug" in words)
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(guarded(command, flags))
    return CliRunner().invoke(app, [])


def test_help_lists_every_command_with_its_summary() -> None:
    result = run("--help")
    assert result.exit_code == 0
    for name, summary in COMMANDS.items():
        assert name in result.output
        assert summary in result.output


def test_help_imports_neither_kafka_nor_faust() -> None:
    script = (
        "import sys; from snowshed.streams.cli.app import build_app\n"
        "try: build_app(['--help'])(['--help'])\n"
        f"finally: print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("name", COMMANDS)
def test_a_commands_own_help_begins_with_the_summary_in_the_list(name: str) -> None:
    result = run(name, "--help")
    assert result.exit_code == 0
    assert COMMANDS[name] in result.output
    module = import_module(f"snowshed.streams.cli.{name.replace('-', '_')}")
    assert hasattr(module, "group") or module.command.__doc__.startswith(COMMANDS[name])


def test_the_version_is_the_packages() -> None:
    result = run("--version")
    assert (result.exit_code, result.output.split()[0]) == (0, "snowshed")


def test_a_word_that_is_no_command_is_a_usage_error() -> None:
    assert run("melt").exit_code == 2


def test_an_error_of_ours_is_one_line_on_standard_error() -> None:
    result = ending_of(ConfigurationError("the port is taken: choose another"))
    assert result.exit_code == EXIT_ERROR
    assert result.stderr == "snowshed: the port is taken: choose another\n"
    assert result.stdout == ""


def test_debug_shows_an_error_of_ours_with_its_traceback() -> None:
    assert isinstance(ending_of(ConfigurationError("wrong"), "--debug").exception, ConfigurationError)


def test_an_error_that_is_not_ours_is_not_hidden() -> None:
    assert isinstance(ending_of(ZeroDivisionError("a defect")).exception, ZeroDivisionError)


def test_an_interrupt_ends_quietly() -> None:
    result = ending_of(KeyboardInterrupt())
    assert (result.exit_code, result.output) == (EXIT_INTERRUPTED, "")


def test_an_interrupt_is_dealt_with_before_typer_sees_it() -> None:
    """Whose versions differ in what they make of it."""

    def command() -> None:
        raise KeyboardInterrupt

    with pytest.raises(typer.Exit) as caught:
        guarded(command, Flags())()
    assert caught.value.exit_code == EXIT_INTERRUPTED


def test_a_wrong_address_is_explained_by_every_command_that_needs_one() -> None:
    for words in (
        ["topics"],
        ["watch", "--once"],
        ["explain"],
        ["publish", "heartbeat"],
        ["dead-letters", "list"],
        ["doctor"],
    ):
        result = run(*words, "--bootstrap", "nonsense")
        assert result.exit_code == EXIT_ERROR
        assert "'nonsense' is not host:port" in result.stderr
