"""Stand-ins for the edges of this package, for the tests of programs that use it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Condition

from snowshed.producers.transport import TransportStats
from snowshed.schemas.records import Record

__all__ = ["MemoryTransport", "Sent"]


@dataclass(frozen=True, slots=True)
class Sent:
    """One record handed to a `MemoryTransport`."""

    topic: str
    key: str
    record: Record


class MemoryTransport:
    """Keeps what it is sent, in order, instead of carrying it to Kafka.

    Args:
        reports: the counters to answer with; by default they count what was sent.
    """

    def __init__(self, reports: TransportStats | None = None) -> None:
        self._changed = Condition()
        self._sent: list[Sent] = []
        self.reports = reports

    @property
    def sent(self) -> Sequence[Sent]:
        """Everything sent so far."""
        with self._changed:
            return tuple(self._sent)

    def send(self, topic: str, key: str, record: Record) -> None:
        """Keep a record."""
        with self._changed:
            self._sent.append(Sent(topic, key, record))
            self._changed.notify_all()

    def wait_for(self, count: int, timeout: float) -> Sequence[Sent]:
        """Everything sent, once that is `count` records or more; raises TimeoutError after `timeout` seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._sent) >= count, timeout):
                raise TimeoutError(f"{len(self._sent)} of {count} records were sent within {timeout} s")
            return tuple(self._sent)

    def flush(self, timeout: float) -> bool:  # noqa: ARG002 - an Outlet's
        """True: nothing is ever on its way."""
        return True

    def close(self, timeout: float) -> bool:  # noqa: ARG002 - a Closable's
        """True: there is nothing to close."""
        return True

    def stats(self) -> TransportStats:
        """The counters given, or the number of records sent."""
        return self.reports or TransportStats(accepted=len(self._sent), delivered=len(self._sent))
