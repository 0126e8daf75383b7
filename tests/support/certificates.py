"""Certificates that tests make for servers on the loopback interface."""

from __future__ import annotations

import subprocess
from pathlib import Path

from snowshed.schemas.errors import ServerUnavailable
from snowshed.streams.broker.ports import LOOPBACK

__all__ = ["make_certificates"]

_TIMEOUT = 60.0


def make_certificates(folder: Path) -> None:
    """Make an authority, `ca.pem`, and a broker's key and certificate for the loopback address, `broker.pem`.

    Raises:
        ServerUnavailable: openssl is missing or fails.
    """
    new = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    _run([*new, "-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.pem"], folder)
    signed = ["-subj", "/CN=broker", "-addext", f"subjectAltName=IP:{LOOPBACK}", "-CA", "ca.pem", "-CAkey", "ca.key"]
    _run(
        [*new, *signed, "-addext", "basicConstraints=critical,CA:FALSE", "-keyout", "key.pem", "-out", "c.pem"], folder
    )
    (folder / "broker.pem").write_text((folder / "key.pem").read_text() + (folder / "c.pem").read_text())


def _run(command: list[str], folder: Path) -> None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    except FileNotFoundError as error:
        raise ServerUnavailable("certificates need openssl; on Debian, as root: apt-get install openssl") from error
    if done.returncode:
        raise ServerUnavailable(f"openssl refused to make a certificate:\n{done.stderr}")
