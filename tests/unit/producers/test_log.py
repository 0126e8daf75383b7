"""A fork while a background thread logs."""

from __future__ import annotations

import subprocess
import sys

_FORKING = """
import os, threading
from snowshed.producers._log import ForkSafeLog

log = ForkSafeLog()


def chatter():
    while True:
        log.info("chatter")


threading.Thread(target=chatter, daemon=True).start()
for _ in range(50):
    child = os.fork()
    if child == 0:
        log.warning("a child speaks")
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
"""


def test_a_child_forked_while_a_thread_logs_can_log_too() -> None:
    run = subprocess.run([sys.executable, "-c", _FORKING], stdout=subprocess.DEVNULL, check=False, timeout=40)
    assert run.returncode == 0
