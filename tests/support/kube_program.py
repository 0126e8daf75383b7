"""The program of a Kubernetes API server: what the machine has, or what Go builds once."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from snowshed.schemas.errors import ServerUnavailable
from snowshed.streams.broker.maven import cache_root

__all__ = ["build_kube_apiserver", "find_kube_apiserver"]

_SOURCES = Path(__file__).parent / "kube_apiserver"
_MODULE = "k8s.io/kubernetes"
_GO = "/usr/local/go/bin/go"
_NAME = "kube-apiserver"
_BUILD_TIMEOUT = 7_200.0


def find_kube_apiserver() -> Path:
    """What $SNOWSHED_KUBE_APISERVER names, else what is on the path, else what was built.

    Raises:
        ServerUnavailable: there is none.
    """
    if chosen := os.environ.get("SNOWSHED_KUBE_APISERVER"):
        if shutil.which(chosen) is None:
            raise ServerUnavailable(f"SNOWSHED_KUBE_APISERVER names {chosen}, which is no program")
        return Path(chosen)
    if found := shutil.which(_NAME):
        return Path(found)
    if (built := _folder() / _NAME).is_file():
        return built
    raise ServerUnavailable(
        f"no {_NAME} on the path nor in SNOWSHED_KUBE_APISERVER, and none was built: ./dev test-kubernetes builds it"
    )


def build_kube_apiserver() -> Path:
    """The program, built first where there is none; one process builds and the others wait for it.

    Raises:
        ServerUnavailable: Go is missing or fails.
    """
    try:
        return find_kube_apiserver()
    except ServerUnavailable:
        if "SNOWSHED_KUBE_APISERVER" in os.environ:
            raise
    folder = _folder()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{_NAME}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / _NAME).is_file():
            _build(folder)
    return folder / _NAME


def _version() -> str:
    found = re.search(rf"{re.escape(_MODULE)} v([\d.]+)\b", (_SOURCES / "go.mod").read_text(), re.MULTILINE)
    assert found is not None
    return found[1]


def _folder() -> Path:
    sources = b"".join((_SOURCES / name).read_bytes() for name in ("go.mod", "go.sum"))
    return cache_root() / f"{_NAME}-{_version()}-{hashlib.sha256(sources).hexdigest()[:12]}"


def _build(folder: Path) -> None:
    go = shutil.which("go") or shutil.which(_GO)
    if go is None:
        raise ServerUnavailable(f"{_NAME} is to be built, and there is no Go on the path nor {_GO}: install Go >= 1.26")
    print(f"Building {_NAME} {_version()} by {go}; this takes minutes, once …", flush=True)
    with tempfile.TemporaryDirectory(prefix="build-", dir=folder.parent) as temporary:
        flags = f"-s -w -X k8s.io/component-base/version.gitVersion=v{_version()}"
        output = Path(temporary) / "bin"
        done = subprocess.run(
            [go, "build", "-trimpath", "-ldflags", flags, "-o", str(output / _NAME), f"{_MODULE}/cmd/{_NAME}"],
            cwd=_SOURCES,
            env={**os.environ, "CGO_ENABLED": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_BUILD_TIMEOUT,
            check=False,
        )
        if done.returncode:
            raise ServerUnavailable(f"Go could not build {_NAME}:\n{done.stderr[-3000:]}")
        output.rename(folder)  # under its name only when complete


if __name__ == "__main__":
    started = time.monotonic()
    program = build_kube_apiserver()
    print(f"{program} ({program.stat().st_size / 1e6:.0f} MB, after {time.monotonic() - started:.0f} s)")
