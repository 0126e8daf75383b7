"""Runs the benchmarks that are programs of their own, each in a fresh process, and reads the figures they print."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tests.benchmarks.provisioned import HERE
from tests.benchmarks.report import Figure, Section
from tests.benchmarks.stage import Stage

__all__ = ["folds", "guard", "recorder"]

_LINE = re.compile(r"(?P<label>\S.*?)\s+median\s+(?P<median>\d+) ns\s+\w+\s+(?P<low>\d+)\s+\w+\s+(?P<high>\d+)")
_PARTS = re.compile(r"(?P<label>\S.*?)\s+µs/(?P<unit>\w+): (?P<parts>.+)")
_PART = re.compile(r"(?P<part>\S+) (?P<median>[\d.]+) \[(?P<low>[\d.]+)-(?P<high>[\d.]+)\]")


@dataclass(frozen=True, slots=True)
class _Script:
    file: str
    setting: str
    repeats: int
    takes_repeats: bool = False
    """Whether its argument is the number of repeats."""
    goals: Mapping[str, str] = field(default_factory=dict[str, str])


_RECORDER = _Script(
    "bench_recorder.py",
    "One timed call, in one thread of one process, 50 000 calls a repeat; the spread is the 5th to the 95th percentile "
    "of the repeats.",
    repeats=21,
    goals={"observe, defaults": "≤ 2 000"},
)
_GUARD = _Script(
    "bench_guard.py",
    "One guarded call (admit and release), in one thread of one process unless 16 are named, 20 000 calls a repeat. By "
    "itself a Guard has the brakes of deadlines and queue delays; with all of them ten local brakes are asked.",
    repeats=25,
    goals={
        "sync, no decision": "≤ 5 000",
        "sync, two decisions": "≤ 5 000",
        "sync, all local brakes": "≤ 5 000",
        "16 threads, all local brakes": "no collapse",
    },
)
_FOLDS = _Script(
    "bench_folds.py",
    "The folds alone, on one thread, without Kafka: what decoding, folding and dumping the state cost a record.",
    repeats=25,
    takes_repeats=True,
)


def recorder(stage: Stage) -> Section:
    """What a timed call costs its program."""
    return _run("recorder", _RECORDER, stage)


def guard(stage: Stage) -> Section:
    """What a guarded call costs its program."""
    return _run("guard", _GUARD, stage)


def folds(stage: Stage) -> Section:
    """What the folds cost a record."""
    return _run("folds", _FOLDS, stage)


def _run(name: str, script: _Script, stage: Stage) -> Section:
    repeats = stage.pick(script.repeats, 3) if script.takes_repeats else script.repeats
    arguments = [str(repeats)] if script.takes_repeats else []
    command = [sys.executable, str(HERE / script.file), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800, check=False)
    if done.returncode:
        raise RuntimeError(f"{script.file} failed:\n{done.stderr[-2000:]}")
    figures = tuple(_figures(done.stdout, repeats, script.goals))
    if not figures:
        raise ValueError(f"{script.file} printed no figures in a form known here:\n{done.stdout[-2000:]}")
    return Section(name, script.setting, figures)


def _figures(printed: str, repeats: int, goals: Mapping[str, str]) -> Iterator[Figure]:
    for line in printed.splitlines():
        if whole := _LINE.fullmatch(line.strip()):
            yield _figure(whole["label"], "ns", whole, repeats, goals)
        elif parts := _PARTS.fullmatch(line.strip()):
            for part in _PART.finditer(parts["parts"]):
                yield _figure(f"{parts['label']}: {part['part']}", f"µs/{parts['unit']}", part, repeats, goals)


def _figure(label: str, unit: str, found: re.Match[str], repeats: int, goals: Mapping[str, str]) -> Figure:
    median, low, high = (float(found[name]) for name in ("median", "low", "high"))
    return Figure(label, unit, median, low, high, repeats, goals.get(label, ""))
