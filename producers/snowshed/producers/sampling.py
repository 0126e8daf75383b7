"""Reads this host's counters: through psutil where it is installed, from Linux's /proc where that is simple."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from importlib import import_module
from math import nan
from pathlib import Path
from types import ModuleType

from snowshed.producers.vitals import LinkReading, Reading, TcpCounts, Vitals, vitals_between

__all__ = ["HostSampler", "count_tcp_states", "parse_cpu", "parse_memory"]

_PROC = Path("/proc")
_TCP_PERIOD = 5.0
_TCP_STATES = {"01": "established", "02": "syn_sent", "06": "time_wait", "08": "close_wait"}
_BYTES_PER_MEGABIT = 125_000.0


class HostSampler:
    """Measures the load of this host between one `sample` and the next.

    Counting connections costs a pass over all of them, so they are counted every 5 seconds at most.
    """

    def __init__(self) -> None:
        self._psutil = _psutil()
        self._before: Reading | None = None
        self._tcp = TcpCounts()
        self._tcp_due = 0.0

    def sample(self) -> Vitals:
        """The load since the last sample; what cannot be read is NaN."""
        reading = self._read(time.monotonic())
        vitals = vitals_between(self._before, reading)
        self._before = reading
        return vitals

    def _read(self, now: float) -> Reading:
        if now >= self._tcp_due:
            self._tcp_due = now + _TCP_PERIOD
            self._tcp = count_tcp_states(_lines("net/tcp") + _lines("net/tcp6"))
        busy, total = self._cpu()
        return Reading(
            at=now,
            cpu_busy=busy,
            cpu_total=total,
            memory=self._memory(),
            load=_load(),
            processors=os.cpu_count() or 1,
            links=self._links(),
            tcp=self._tcp,
        )

    def _cpu(self) -> tuple[float, float]:
        if self._psutil is None:
            return parse_cpu(_lines("stat"))
        times = self._psutil.cpu_times()
        # Guests' time is part of the user time already.
        total = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
        return total - times.idle - getattr(times, "iowait", 0.0), total

    def _memory(self) -> float:
        if self._psutil is None:
            return parse_memory(_lines("meminfo"))
        return float(self._psutil.virtual_memory().percent) / 100

    def _links(self) -> Mapping[str, LinkReading]:
        if self._psutil is None:
            return {}
        speeds = {name: link.speed * _BYTES_PER_MEGABIT for name, link in self._psutil.net_if_stats().items()}
        return {
            name: LinkReading(received=link.bytes_recv, sent=link.bytes_sent, speed=speeds.get(name) or nan)
            for name, link in self._psutil.net_io_counters(pernic=True).items()
        }


def parse_cpu(lines: Iterable[str]) -> tuple[float, float]:
    """Busy and total time of all processors from the lines of /proc/stat, in ticks; NaN if they are not there."""
    for line in lines:
        if line.startswith("cpu "):
            ticks = [float(word) for word in line.split()[1:9]]
            return sum(ticks) - sum(ticks[3:5]), sum(ticks)
    return nan, nan


def parse_memory(lines: Iterable[str]) -> float:
    """Share of the memory in use from the lines of /proc/meminfo; NaN if it is not there."""
    sizes = {name: float(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines) if rest.strip()}
    total, available = sizes.get("MemTotal", 0.0), sizes.get("MemAvailable", nan)
    return 1 - available / total if total else nan


def count_tcp_states(lines: Iterable[str]) -> TcpCounts:
    """Connections by state from the lines of /proc/net/tcp and tcp6; NaN if there are none."""
    rows = [words[3] for words in (line.split(None, 4) for line in lines) if len(words) == 5]
    if not rows:
        return TcpCounts()
    counts = Counter(_TCP_STATES.get(state, "") for state in rows)
    return TcpCounts(
        established=float(counts["established"]),
        syn_sent=float(counts["syn_sent"]),
        close_wait=float(counts["close_wait"]),
        time_wait=float(counts["time_wait"]),
    )


def _psutil() -> ModuleType | None:
    try:
        return import_module("psutil")  # the extra `host`
    except ImportError:
        return None


def _lines(name: str) -> list[str]:
    try:
        return (_PROC / name).read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return []


def _load() -> float:
    try:
        return os.getloadavg()[0]
    except OSError:
        return nan
