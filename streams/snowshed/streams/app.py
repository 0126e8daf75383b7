"""The worker's app for `faust -A snowshed.streams.app worker`, configured by the environment."""

from __future__ import annotations

from snowshed.streams.hosting import build
from snowshed.streams.settings import WorkerSettings

__all__ = ["app"]

app = build(WorkerSettings())
