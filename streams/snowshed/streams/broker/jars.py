"""The broker's jars."""

from __future__ import annotations

from pathlib import Path

from .java import Java
from .maven import Download, Progress, ensure_download, silent
from .package_data import package_data

__all__ = ["KAFKA_VERSION", "ensure_jars"]

KAFKA_VERSION = "4.3.1"


def ensure_jars(java: Java, *, root: Path | None = None, progress: Progress = silent) -> Path:
    """The folder with Kafka's verified jars, downloaded first if the cache lacks them.

    Raises:
        BrokerUnavailable: Maven is missing or fails, or a jar differs from its committed checksum.
    """
    kafka = Download(
        name="Apache Kafka",
        key="kafka",
        version=KAFKA_VERSION,
        pom=package_data("pom.xml"),
        manifest=package_data("jars.sha256"),
        size="54 MB",
    )
    return ensure_download(kafka, java, root=root, progress=progress)
