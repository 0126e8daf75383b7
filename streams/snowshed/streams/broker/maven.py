"""Jars from Maven's repository: downloaded once, checked against committed checksums, cached per version."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from snowshed.schemas.errors import BrokerUnavailable

from .java import Java

__all__ = ["Download", "Progress", "cache_root", "ensure_download", "parse_manifest", "silent", "verify_jars"]

Progress = Callable[[str], None]
"""Told one sentence before each step that takes seconds."""

_STAMP = ".verified"
_DOWNLOAD_TIMEOUT = 600.0


def silent(message: str) -> None:
    """A `Progress` that tells nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """Jars that are fetched together.

    Args:
        name: what they are, for messages, such as Apache Kafka.
        key: what their folders' names begin with.
        version: theirs.
        pom: the project that depends on them.
        manifest: their SHA-256 in the format that sha256sum writes.
        size: how much it is, for people.
    """

    name: str
    key: str
    version: str
    pom: bytes
    manifest: bytes
    size: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


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
        raise BrokerUnavailable(f"{', '.join(foreign)} in the download is not in its manifest")
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


def _run_maven(download: Download, pom: Path, target: Path, java: Java) -> None:
    program = shutil.which("mvn")
    if program is None:
        raise BrokerUnavailable(f"Maven, which fetches {download.name}, is not installed: apt-get install maven")
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
        raise BrokerUnavailable(f"Maven could not fetch {download}:\n{_tail(done.stdout + done.stderr)}")


def _tail(text: str, lines: int = 12) -> str:
    return "\n".join(text.strip().splitlines()[-lines:])


def _fetch(download: Download, root: Path, folder: Path, stamp: str, java: Java) -> None:
    # The folder appears under its name only when complete: an interrupted download leaves nothing half done.
    with tempfile.TemporaryDirectory(prefix="download-", dir=root) as temporary:
        pom = Path(temporary) / "pom.xml"
        pom.write_bytes(download.pom)
        jars = Path(temporary) / "jars"
        _run_maven(download, pom, jars, java)
        verify_jars(jars, parse_manifest(download.manifest.decode()))
        (jars / _STAMP).write_text(stamp)
        shutil.rmtree(folder, ignore_errors=True)
        jars.rename(folder)


def ensure_download(download: Download, java: Java, *, root: Path | None = None, progress: Progress = silent) -> Path:
    """The folder with verified jars, downloaded first if the cache lacks them.

    Safe to call from several processes at once: one downloads, the others wait for it.

    Raises:
        BrokerUnavailable: Maven is missing or fails, or a jar differs from its committed checksum.
    """
    manifest, stamp = parse_manifest(download.manifest.decode()), hashlib.sha256(download.manifest).hexdigest()
    root = cache_root() if root is None else root
    folder = root / f"{download.key}-{download.version}-{stamp[:12]}"
    if _intact(folder, manifest, stamp):
        return folder
    root.mkdir(parents=True, exist_ok=True)
    with _exclusive(root / f"{download.key}.lock"):
        if not _intact(folder, manifest, stamp):
            progress(f"Downloading {download} ({len(manifest)} jars, {download.size}; once)")
            _fetch(download, root, folder, stamp, java)
    return folder
