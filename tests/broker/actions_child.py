"""An executor in a process of its own, which dies where a test says."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from threading import Event

from snowshed.consumers.actions import Executive, read_plan
from snowshed.consumers.actions.executive import Moment
from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.records import ActionState
from snowshed.schemas.topics import Topics


def main(bootstrap: str, prefix: str, config: str, dies: str) -> None:
    """Act until SIGTERM, or until the moment `dies`."""
    stop = Event()

    def end(*_: object) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, end)

    def reached(moment: Moment, state: ActionState) -> None:
        del state
        if moment.value == dies:
            os.kill(os.getpid(), signal.SIGKILL)

    topics = Topics(prefix)
    Executive(
        KafkaConnection(bootstrap), topics, read_plan(Path(config)), me=f"child-{os.getpid()}", reached=reached
    ).run(stop)


if __name__ == "__main__":
    main(*sys.argv[1:])
