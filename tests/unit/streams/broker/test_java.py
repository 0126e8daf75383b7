from __future__ import annotations

from pathlib import Path

import pytest

from snowshed.schemas.errors import BrokerUnavailable
from snowshed.streams.broker.java import find_java, parse_java_version


@pytest.mark.parametrize(
    ("output", "version"),
    [
        ('openjdk version "17.0.15" 2025-04-15\nOpenJDK Runtime Environment', 17),
        ('openjdk version "25.0.2" 2026-01-20 LTS', 25),
        ('openjdk version "21-ea" 2023-09-19', 21),
        ('java version "1.8.0_392"', 8),
        ('Picked up JAVA_TOOL_OPTIONS: -Xmx1g\nopenjdk version "11.0.2"', 11),
        ("no such file", None),
    ],
)
def test_the_major_version_is_read_from_what_java_says(output: str, version: int | None) -> None:
    assert parse_java_version(output) == version


def _install(folder: Path) -> str:
    program = folder / "java"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.touch(mode=0o755)
    return str(program)


def test_a_java_asked_for_by_name_is_used(tmp_path: Path) -> None:
    _install(tmp_path)
    environ = {"SNOWSHED_JAVA": "/chosen/java", "PATH": str(tmp_path)}
    java = find_java(environ, run_version=lambda _: 'openjdk version "21"')
    assert (java.path, java.version, java.source) == (Path("/chosen/java"), 21, "$SNOWSHED_JAVA")


def test_a_java_asked_for_by_name_is_never_replaced_by_another(tmp_path: Path) -> None:
    _install(tmp_path)

    def run(path: Path) -> str:
        return 'openjdk version "11"' if path == Path("/chosen/java") else 'openjdk version "21"'

    with pytest.raises(BrokerUnavailable, match=r"/chosen/java \(\$SNOWSHED_JAVA\) is Java 11"):
        find_java({"SNOWSHED_JAVA": "/chosen/java", "PATH": str(tmp_path)}, run_version=run)


def test_an_old_java_home_gives_way_to_a_newer_java_on_the_path(tmp_path: Path) -> None:
    on_path = _install(tmp_path)

    def run(path: Path) -> str:
        return 'openjdk version "17"' if str(path) == on_path else 'java version "1.8.0"'

    java = find_java({"JAVA_HOME": "/old", "PATH": str(tmp_path)}, run_version=run)
    assert (str(java.path), java.source) == (on_path, "PATH")


def test_java_home_comes_before_the_path(tmp_path: Path) -> None:
    _install(tmp_path)
    java = find_java({"JAVA_HOME": "/new", "PATH": str(tmp_path)}, run_version=lambda _: 'openjdk version "17"')
    assert java.path == Path("/new/bin/java")


def test_every_java_that_was_tried_is_named_with_the_remedies() -> None:
    with pytest.raises(BrokerUnavailable) as raised:
        find_java({"JAVA_HOME": "/old", "PATH": ""}, run_version=lambda _: 'java version "1.8.0"')
    for part in ("/old/bin/java ($JAVA_HOME) is Java 8", "openjdk-17-jre-headless", "SNOWSHED_JAVA"):
        assert part in str(raised.value)


def test_a_java_that_does_not_run_is_named_with_the_reason() -> None:
    with pytest.raises(BrokerUnavailable, match=r"/nowhere/java \(\$SNOWSHED_JAVA\) cannot be run: .*No such file"):
        find_java({"SNOWSHED_JAVA": "/nowhere/java"})
