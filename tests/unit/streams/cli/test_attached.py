"""A process that was started attached ends with the one that started it."""

from __future__ import annotations

import signal
import subprocess
import sys

SCRIPT = """
import time
from snowshed.streams.cli.attached import end_with_standard_input
end_with_standard_input()
print("started", flush=True)
time.sleep(60)
"""


def test_it_ends_by_sigterm_once_its_standard_input_closes() -> None:
    with subprocess.Popen([sys.executable, "-c", SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"started\n"
        assert process.poll() is None
        process.stdin.close()
        assert process.wait(20) == -signal.SIGTERM
