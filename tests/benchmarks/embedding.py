"""What embedding costs a service that is otherwise idle: time to import and memory, over bare Python."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping

from tests.benchmarks.provisioned import HERE, base_python
from tests.benchmarks.report import Figure, Section
from tests.benchmarks.stage import Stage

from snowshed.schemas.topics import Topics
from snowshed.streams.provision import provision

__all__ = ["run"]

_MIB = 2**20


def run(stage: Stage) -> Section:
    """Start a service of its own for each repeat."""
    prefix = stage.unique("embedding")
    provision(stage.connection, Topics(prefix, partitions=1, replication=1))
    base, full = str(base_python()), sys.executable
    for python in (base, full):
        _service(stage, prefix, python)  # compiles what has never been imported on this machine
    found = [_service(stage, prefix, base) for _ in range(stage.repeats)]
    beside = [_service(stage, prefix, full) for _ in range(stage.repeats)]
    stage.forget(prefix)
    return Section(
        "embedding",
        "A process that imports `snowshed.producers` and `snowshed.consumers`, starts a Telemetry (heartbeats, host "
        "sampling, one timed call a millisecond) and a Guard that follows decisions, for three seconds, in an "
        "environment with Snowshed's base install alone and in the development environment, where structlog finds and "
        "imports rich. Memory is resident memory beyond that of the bare interpreter.",
        (
            Figure.of("import both packages", "s", [one["import"] for one in found], "≤ 0.25"),
            Figure.of("memory of both, running", "MiB", [one["memory"] / _MIB for one in found], "≤ 60"),
            Figure.of("bare interpreter", "MiB", [one["bare"] / _MIB for one in found]),
            Figure.of("import, rich being installed", "s", [one["import"] for one in beside]),
            Figure.of("memory, rich being installed", "MiB", [one["memory"] / _MIB for one in beside]),
        ),
    )


def _service(stage: Stage, prefix: str, python: str) -> Mapping[str, float]:
    command = [python, str(HERE / "embedded_service.py"), stage.broker.bootstrap, prefix]
    environment = {**os.environ, "SNOWSHED_PREFIX": prefix}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        raise RuntimeError(f"the embedding service failed:\n{done.stderr[-2000:]}")
    found: Mapping[str, float] = json.loads(done.stdout.splitlines()[-1])  # before it stands what the service logs
    return found
