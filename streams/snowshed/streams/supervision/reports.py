"""What a worker tells its supervisor through an inherited pipe: one line of JSON for each change."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, cast

from snowshed.streams.hosting import Membership

__all__ = ["Misconfigured", "Report", "Reporter", "decode", "encode"]


@dataclass(frozen=True, slots=True)
class Misconfigured:
    """A worker cannot work with the settings it was given."""

    reason: str


Report = Membership | Misconfigured

_KINDS: dict[str, type[Report]] = {"membership": Membership, "misconfigured": Misconfigured}


class Reporter:
    """The worker's end of the pipe.

    Args:
        descriptor: the inherited file descriptor.
    """

    def __init__(self, descriptor: int) -> None:
        os.set_inheritable(descriptor, False)
        self._descriptor = descriptor

    def tell(self, report: Report) -> None:
        """Tell the supervisor; without one left to hear it, nothing happens."""
        with suppress(BrokenPipeError):
            os.write(self._descriptor, encode(report))


def encode(report: Report) -> bytes:
    """The report as one line."""
    [kind] = [name for name, class_ in _KINDS.items() if isinstance(report, class_)]
    return json.dumps({"kind": kind, **asdict(report)}).encode() + b"\n"


def decode(line: bytes) -> Report:
    """The report in a line."""
    values = cast("dict[str, Any]", json.loads(line))
    return _KINDS[values.pop("kind")](**values)
