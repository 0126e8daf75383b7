"""A daemon thread that does a small piece of work whenever it is due or woken."""

from __future__ import annotations

from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Lock, Thread, current_thread

from snowshed.producers._log import ForkSafeLog
from snowshed.schemas.forking import survive_fork

__all__ = ["Background"]

_log = ForkSafeLog()
_AFTER_FAILURE = 1.0


class Background:
    """Runs `step` in a daemon thread until stopped.

    `step` returns the seconds until it wants to run again; `wake` cuts that wait short. It takes no lock that a
    signal handler could already hold, so it may be called from anywhere.

    Args:
        name: the thread's name.
        step: the work; whatever it raises is logged and costs the host nothing.
    """

    def __init__(self, name: str, step: Callable[[], float]) -> None:
        self._name = name
        self._step = step
        self._starting = Lock()
        self._wakes: SimpleQueue[None] = SimpleQueue()
        self._thread: Thread | None = None
        self._stopped = False
        survive_fork(self)

    @property
    def running(self) -> bool:
        """Whether the thread has been started in this process and not been stopped."""
        return self._thread is not None and not self._stopped

    def start(self) -> None:
        """Start the thread; does nothing while it runs."""
        if self._thread is not None and not self._stopped:
            return
        if not self._starting.acquire(blocking=False):
            return
        try:
            wakes: SimpleQueue[None] = SimpleQueue()
            self._wakes = wakes
            self._stopped = False
            self._thread = Thread(target=self._run, args=(wakes,), name=self._name, daemon=True)
            self._thread.start()
        except RuntimeError as error:
            self._thread = None
            _log.warning("thread_not_started", thread=self._name, reason=str(error))
        finally:
            self._starting.release()

    def wake(self) -> None:
        """Run `step` now rather than when it is due."""
        if self._wakes.empty():
            self._wakes.put(None)

    def stop(self, timeout: float) -> None:
        """End the thread after the step it is in, waiting at most `timeout` seconds."""
        thread = self._thread
        self._stopped = True
        self._wakes.put(None)
        if thread is not None and thread is not current_thread():
            thread.join(timeout)
        self._thread = None

    def after_fork(self) -> None:
        """Forget the parent's thread; `start` makes a new one."""
        self._starting = Lock()
        self._wakes = SimpleQueue()
        self._thread = None

    def _run(self, wakes: SimpleQueue[None]) -> None:
        while not self._stopped and wakes is self._wakes:
            try:
                delay = self._step()
            except Exception as error:  # noqa: BLE001 - the thread's outermost frame: telemetry must outlive any defect
                _log.error("background_step_failed", thread=self._name, reason=repr(error))
                delay = _AFTER_FAILURE
            try:
                wakes.get(timeout=max(0.0, delay))
            except Empty:
                continue
