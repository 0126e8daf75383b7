"""What benchmarks need besides the development environment, prepared once and kept in the cache."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import venv
from pathlib import Path

from snowshed.streams.broker.java import Java
from snowshed.streams.broker.maven import cache_root

__all__ = ["HERE", "base_python", "kafka_streams_classpath", "quix_python"]

HERE = Path(__file__).parent
_REPOSITORY = HERE.parent.parent
_STAMP = ".complete"


def base_python() -> Path:
    """The interpreter of an environment with this repository and only what a service has to install for it."""
    return _environment("base", _REPOSITORY / "pyproject.toml", "--editable", str(_REPOSITORY))


def quix_python() -> Path:
    """The interpreter of an environment with Quix Streams as pinned in requirements/quix.txt."""
    requirements = _REPOSITORY / "requirements" / "quix.txt"
    return _environment("quix", requirements, "--require-hashes", "-r", str(requirements))


def _environment(name: str, source: Path, *wanted: str) -> Path:
    folder = _folder(name, source)
    python = folder / "bin" / "python"
    if not (folder / _STAMP).exists():
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=True)
        _run(str(python), "-m", "pip", "install", "--quiet", *wanted)
        (folder / _STAMP).touch()
    return python


def kafka_streams_classpath(java: Java) -> str:
    """The class path of the compiled Kafka Streams job."""
    sources = HERE / "peers" / "kafka_streams"
    pom, job = sources / "pom.xml", sources / "IntervalJob.java"
    folder = _folder("kafka-streams", pom, job)
    jars, classes = folder / "jars", folder / "classes"
    classpath = f"{jars}/*:{classes}"
    if not (folder / _STAMP).exists():
        shutil.rmtree(folder, ignore_errors=True)
        _run("mvn", "-B", "-q", "-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={jars}")
        _run(str(java.home / "bin" / "javac"), "-d", str(classes), "-cp", f"{jars}/*", str(job))
        (folder / _STAMP).touch()
    return classpath


def _folder(name: str, *inputs: Path) -> Path:
    """A folder of its own for these inputs, so that a change of one is never served by an old copy."""
    digest = hashlib.sha256(sys.version.encode())
    for path in inputs:
        digest.update(path.read_bytes())
    return cache_root() / "benchmarks" / f"{name}-{digest.hexdigest()[:12]}"


def _run(*command: str) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{(done.stdout + done.stderr)[-2000:]}")
