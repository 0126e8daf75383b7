"""The broker's jars: downloaded once by Maven, checked against committed checksums, cached per version."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from snowshed.schemas.errors import BrokerUnavailable

from .java import Java
from .package_data import package_data

__all__ = ["KAFKA_VERSION", "Progress", "cache_root", "ensure_jars", "parse_manifest", "silent", "verify_jars"]

KAFKA_VERSION = "4.3.1"

Progress = Callable[[str], None]
"""Told one sentence before each step that takes seconds."""

_STAMP = ".verified"
_DOWNLOAD_TIMEOUT = 600.0


def silent(message: str) -> None:
    """A `Progress` that tells nobody."""


def cache_root(environ: Mapping[str, str] = os.environ) -> Path:
    """Where downloads are kept: $SNOWSHED_CACHE, else `snowshed` in the user's cache folder."""
    if chosen := environ.get("SNOWSHED_CACHE"):
        return Path(chosen)
    if user_cache := environ.get("XDG_CACHE_HOME"):
        return Path(user_cache) / "snowshed"
    return Path.home() / ".cache" / "snowshed"


def parse_manifest(text: str) -> dict[str, str]:
    """Jar name → SHA-256 in hexadecimal, from the format that sha256sum writes."""
    return {name: digest for digest, name in (line.split(maxsplit=1) for line in text.splitlines() if line.strip())}


def _digest(path: Path) -> str:
    with path.open("rb") as jar:
        return hashlib.file_digest(jar, "sha256").hexdigest()


def verify_jars(folder: Path, manifest: Mapping[str, str]) -> None:
    """Compare every jar in a folder with the manifest.

    Raises:
        BrokerUnavailable: a jar is missing, foreign or differs; the message names it.
    """
    present = {path.name for path in folder.glob("*.jar")}
    if missing := sorted(manifest.keys() - present):
        raise BrokerUnavailable(f"Maven did not deliver {', '.join(missing)}; check its network access and try again")
    if foreign := sorted(present - manifest.keys()):
        raise BrokerUnavailable(f"{', '.join(foreign)} in the download is not part of Kafka {KAFKA_VERSION}'s manifest")
    for name, expected in manifest.items():
        if (actual := _digest(folder / name)) != expected:
            raise BrokerUnavailable(
                f"{name} does not match its checksum: SHA-256 is {actual}, not {expected}. The copy that Maven fetched "
                "is damaged or was tampered with: delete it from Maven's local repository and check its mirror."
            )


def _intact(folder: Path, manifest: Mapping[str, str], stamp: str) -> bool:
    """Whether a folder was verified before and no jar has gone since: cheap enough for every start."""
    try:
        return (folder / _STAMP).read_text() == stamp and all((folder / name).is_file() for name in manifest)
    except FileNotFoundError:
        return False


@contextmanager
def _exclusive(path: Path) -> Generator[None]:
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run_maven(pom: Path, target: Path, java: Java) -> None:
    program = shutil.which("mvn")
    if program is None:
        raise BrokerUnavailable("Maven, which fetches Kafka's jars, is not installed: apt-get install maven")
    command = [program, "-B", "-q", "--no-transfer-progress", "-f", str(pom), "dependency:copy-dependencies"]
    try:
        done = subprocess.run(
            [*command, f"-DoutputDirectory={target}"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_DOWNLOAD_TIMEOUT,
            check=False,
            env={"JAVA_HOME": str(java.home), **os.environ},
        )
    except subprocess.TimeoutExpired as error:
        raise BrokerUnavailable(f"Maven did not finish within {_DOWNLOAD_TIMEOUT:.0f} s; check its network") from error
    if done.returncode:
        raise BrokerUnavailable(f"Maven could not fetch Kafka {KAFKA_VERSION}:\n{_tail(done.stdout + done.stderr)}")


def _tail(text: str, lines: int = 12) -> str:
    return "\n".join(text.strip().splitlines()[-lines:])


def _download(root: Path, folder: Path, manifest: Mapping[str, str], stamp: str, java: Java) -> None:
    # The folder appears under its name only when complete: an interrupted download leaves nothing half done.
    with tempfile.TemporaryDirectory(prefix="download-", dir=root) as temporary:
        pom = Path(temporary) / "pom.xml"
        pom.write_bytes(package_data("pom.xml"))
        jars = Path(temporary) / "jars"
        _run_maven(pom, jars, java)
        verify_jars(jars, manifest)
        (jars / _STAMP).write_text(stamp)
        shutil.rmtree(folder, ignore_errors=True)
        jars.rename(folder)


def ensure_jars(java: Java, *, root: Path | None = None, progress: Progress = silent) -> Path:
    """The folder with Kafka's verified jars, downloaded first if the cache lacks them.

    Safe to call from several processes at once: one downloads, the others wait for it.

    Raises:
        BrokerUnavailable: Maven is missing or fails, or a jar differs from its committed checksum.
    """
    data = package_data("jars.sha256")
    manifest, stamp = parse_manifest(data.decode()), hashlib.sha256(data).hexdigest()
    root = cache_root() if root is None else root
    folder = root / f"kafka-{KAFKA_VERSION}-{stamp[:12]}"
    if _intact(folder, manifest, stamp):
        return folder
    root.mkdir(parents=True, exist_ok=True)
    with _exclusive(root / "kafka.lock"):
        if not _intact(folder, manifest, stamp):
            progress(f"Downloading Apache Kafka {KAFKA_VERSION} ({len(manifest)} jars, 54 MB; once)")
            _download(root, folder, manifest, stamp, java)
    return folder
