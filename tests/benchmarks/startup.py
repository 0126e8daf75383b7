"""How long `snowshed up` takes until everything runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time

from tests.benchmarks.report import Figure, Section
from tests.benchmarks.stage import Stage

from snowshed.streams.broker.jars import ensure_jars
from snowshed.streams.broker.java import find_java

__all__ = ["run"]


def run(stage: Stage) -> Section:
    """Start everything and stop it, with a fresh data folder for each repeat."""
    ensure_jars(find_java())  # the cache is warm
    found = [_measure(stage, number) for number in range(stage.repeats)]
    ready, whole = zip(*found, strict=True)
    return Section(
        "startup",
        "`snowshed up --exit-when-ready` on a fresh data folder, what it downloads being in its cache: a broker is "
        "formatted and started, topics are created, a worker and a host agent come up, and all of it is stopped.",
        (
            Figure.of("until all of it is ready", "s", ready, "≤ 30"),
            Figure.of("until it has stopped again", "s", whole),
        ),
    )


def _measure(stage: Stage, number: int) -> tuple[float, float]:
    data = stage.folder / f"up-{number}"
    command = [sys.executable, "-m", "snowshed.streams.cli", "up", "--exit-when-ready", "--json"]
    environment = {name: value for name, value in os.environ.items() if name != "SNOWSHED_BOOTSTRAP"}
    started = time.perf_counter()
    with subprocess.Popen(
        [*command, "--data", str(data), "--web-port", "0"],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        announced = process.stdout.readline() if process.stdout else ""
        ready = time.perf_counter() - started
        _, complaint = process.communicate(timeout=120)
    if process.returncode or not announced:
        raise RuntimeError(f"snowshed up failed:\n{complaint[-2000:]}")
    whole = time.perf_counter() - started
    shutil.rmtree(data)
    return ready, whole
