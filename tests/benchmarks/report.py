"""What a benchmark hands back, and how it is shown: figures with their spread, beside the machine that made them."""

from __future__ import annotations

import json
import os
import platform
import re
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Self

from confluent_kafka import libversion

__all__ = ["Figure", "Report", "Section", "describe_machine", "write_into"]

_PACKAGES = ("confluent-kafka", "faust-streaming", "numpy", "fastavro", "uvloop")


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number."""

    label: str
    unit: str
    median: float
    low: float
    high: float
    repeats: int
    goal: str = ""
    """What is aimed at; shown, never judged."""

    @classmethod
    def of(cls, label: str, unit: str, values: Sequence[float], goal: str = "") -> Self:
        """The figure for one value a repeat."""
        return cls(label, unit, statistics.median(values), min(values), max(values), len(values), goal)

    @property
    def row(self) -> str:
        """The figure as a row of a table."""
        spread = f"{_number(self.low)} – {_number(self.high)}"
        cells = (self.label, _number(self.median), spread, self.unit, str(self.repeats), self.goal)
        return f"| {' | '.join(cells)} |"


@dataclass(frozen=True, slots=True)
class Section:
    """The figures of one benchmark."""

    name: str
    setting: str
    """What was run, in a sentence or two."""
    figures: tuple[Figure, ...]

    @property
    def markdown(self) -> str:
        """The section with its heading."""
        return f"## {self.name}\n\n{self.table}"

    @property
    def table(self) -> str:
        """The figures as a Markdown table under their setting."""
        head = "| what | median | spread | unit | repeats | goal |\n|---|--:|--:|---|--:|---|"
        return "\n".join([self.setting, "", head, *(figure.row for figure in self.figures)])


@dataclass(frozen=True, slots=True)
class Report:
    """The sections of one run on one machine."""

    machine: str
    when: str
    quick: bool
    sections: tuple[Section, ...]

    @classmethod
    def now(cls, sections: Sequence[Section], *, broker: str | None, quick: bool) -> Self:
        """A report on this machine, made now."""
        machine = describe_machine()
        if broker is not None:
            machine += f"; broker: {broker}"
        return cls(machine, datetime.now(UTC).strftime("%Y-%m-%d"), quick, tuple(sections))

    @property
    def provenance(self) -> str:
        """When and where the figures were made."""
        warning = " Quick sizes: these figures only show that the benchmarks run." if self.quick else ""
        return f"Measured {self.when} on {self.machine}.{warning}"

    def save(self, path: Path) -> None:
        """Write everything as JSON."""
        path.write_text(json.dumps(asdict(self), indent=2) + "\n")


def write_into(page: Path, report: Report) -> None:
    """Put each section's table between its two comments on a page; other text and other sections stay as they are.

    Raises:
        ValueError: the page has no place for a section.
    """
    text = page.read_text()
    for section in report.sections:
        pattern = re.compile(rf"(<!-- figures of {section.name} -->\n).*?(<!-- end of {section.name} -->)", re.DOTALL)
        table = f"\n{report.provenance}\n\n{section.table}\n\n"
        place = pattern.search(text)
        if place is None:
            raise ValueError(f"{page} needs the comments '<!-- figures of {section.name} -->' and '<!-- end of … -->'")
        text = text[: place.end(1)] + table + text[place.start(2) :]
    page.write_text(text)


def describe_machine() -> str:
    """Processor, cores, memory, system and versions in one line."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0))
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    return (
        f"{_processor()}, {cores} cores, {memory:.0f} GiB; {platform.system()} {platform.release()}; "
        f"CPython {platform.python_version()}, {packages}, librdkafka {libversion()[0]}"
    )


def _processor() -> str:
    found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()


def _number(value: float) -> str:
    if abs(value) >= 1000:
        return f"{value:_.0f}".replace("_", " ")
    return f"{value:.3g}"
