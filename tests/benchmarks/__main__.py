"""`python -m tests.benchmarks [NAME …]`: measures, and prints what was measured, on what, and how it spread."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

from tests.benchmarks import (
    comparison,
    control_central,
    control_local,
    edges,
    embedding,
    failures,
    guarantee,
    ingest,
    lab,
    lab_graphs,
    lab_loss,
    load,
    memory,
    reaction,
    replica_writes,
    restore,
    scripts,
    simulation,
    stability,
    startup,
    takeover,
    transactions,
    visibility,
)
from tests.benchmarks.report import Report, Section, write_into
from tests.benchmarks.stage import Stage

__all__ = ["ACCURACY", "BENCHMARKS", "CONTROL", "DETECTION", "PERFORMANCE", "RELIABILITY", "main"]

# First what needs no broker of the run, so that none takes processor time from it.
PERFORMANCE: Mapping[str, Callable[[Stage], Section]] = {
    "startup": startup.run,
    "recorder": scripts.recorder,
    "guard": scripts.guard,
    "folds": scripts.folds,
    "edges": edges.run,
    "simulation": simulation.run,
    "stability": stability.run,
    "embedding": embedding.run,
    "beats": ingest.beats,
    "rows": ingest.rows,
    "comparison": comparison.run,
    "sizes": transactions.sizes,
    "latency": transactions.latency,
    "memory": memory.run,
    "reaction": reaction.run,
}
"""What docs/performance.md shows, in the order in which they run."""

RELIABILITY: Mapping[str, Callable[[Stage], Section]] = {
    "takeover": takeover.run,
    "restore": restore.run,
    "guarantee": guarantee.run,
    "load": load.run,
}
"""What docs/reliability.md shows; runs only when named."""

ACCURACY: Mapping[str, Callable[[Stage], Section]] = {"visibility": visibility.run}
"""What docs/howto-staleness.md shows; runs only when named."""

DETECTION: Mapping[str, Callable[[Stage], Section]] = {"failures": failures.run}
"""What docs/detection.md shows; runs only when named."""

CONTROL: Mapping[str, Callable[[Stage], Section]] = {
    "control_central": control_central.run,
    "control_local": control_local.run,
    "lab": lab.run,
    "lab_loss": lab_loss.run,
    "lab_graphs": lab_graphs.run,
    "replica_writes": replica_writes.run,
}
"""What docs/control.md shows; runs only when named."""

BENCHMARKS: Mapping[str, Callable[[Stage], Section]] = {
    **PERFORMANCE,
    **RELIABILITY,
    **ACCURACY,
    **DETECTION,
    **CONTROL,
}
"""Every benchmark by name."""


def main() -> None:
    """Run the benchmarks named, or all of docs/performance.md."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"benchmarks to run: {', '.join(BENCHMARKS)}")
    parser.add_argument("--quick", action="store_true", help="small sizes: shows that they run, measures nothing")
    parser.add_argument("--repeats", type=int, help="measure each figure so often instead of five times")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures there")
    parser.add_argument("--page", type=Path, metavar="FILE", help="also put the tables into this page")
    arguments = parser.parse_args()
    if unknown := sorted({*arguments.names} - BENCHMARKS.keys()):
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    names = [name for name in BENCHMARKS if name in (arguments.names or PERFORMANCE)]
    with ExitStack() as stack:
        stage = Stage(stack, quick=arguments.quick, repeats=arguments.repeats)
        _run(names, stage, arguments.json, arguments.page)


def _run(names: list[str], stage: Stage, data: Path | None, page: Path | None) -> None:
    sections: list[Section] = []
    stage.tell(f"What the processes print stays in {stage.folder} if the run fails")
    for name in names:
        stage.tell(name)
        sections.append(BENCHMARKS[name](stage))
        report = Report.now(sections, broker=stage.used_broker, quick=stage.quick)
        print(f"\n{sections[-1].markdown}\n", flush=True)
        print(report.provenance, flush=True)
        # After each, so that an hour's work outlives a failure in its last minute.
        if data:
            report.save(data)
        if page:
            write_into(page, report)
    shutil.rmtree(stage.folder)


if __name__ == "__main__":
    main()
