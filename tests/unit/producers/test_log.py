"""A fork while a background thread logs."""

from __future__ import annotations

import subprocess
import sys

_FORKING = """
import os, threading
from snowshed.producers._log import ForkSafeLog

log = ForkSafeLog()
over = threading.Event()


def chatter():
    while not over.is_set():
        log.info("chatter")


thread = threading.Thread(target=chatter, daemon=True)
thread.start()
for _ in range(50):
    child = os.fork()
    if child == 0:
        log.warning("a child speaks")
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
# A thread that still writes while the interpreter ends would make Python abort.
over.set()
thread.join()
"""


def test_a_child_forked_while_a_thread_logs_can_log_too() -> None:
    run = subprocess.run([sys.executable, "-c", _FORKING], stdout=subprocess.DEVNULL, check=False, timeout=40)
    assert run.returncode == 0
