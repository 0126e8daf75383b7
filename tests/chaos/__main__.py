"""`python -m tests.chaos`: runs cases with seeds, prints each verdict, and makes the table of docs/reliability.md."""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import mkdtemp
from uuid import uuid4

from tests.benchmarks.report import describe_machine
from tests.chaos import results
from tests.chaos.arenas import Arena, Arenas
from tests.chaos.cases import CASES
from tests.chaos.run import Plan, Run, carry_out
from tests.chaos.systems import SYSTEMS

from snowshed.schemas.connection import KafkaConnection


def main() -> None:
    """Do what is asked for; exit code 1 when a run failed."""
    arguments = _arguments()
    if arguments.page:
        _write_page(arguments.page, arguments.results)
        return
    folder = Path(mkdtemp(prefix="snowshed-chaos-"))
    print(f"{describe_machine()}\nworkers' logs: {folder}", flush=True)
    failed = 0
    with ExitStack() as stack:
        yours = Arena(connection=KafkaConnection(arguments.bootstrap)) if arguments.bootstrap else None
        arenas = Arenas(stack, lambda text: print(f"  {time.strftime('%H:%M:%S')} {text}", flush=True), yours)
        for seed in range(arguments.first, arguments.first + arguments.seeds):
            for name in arguments.case or CASES:
                failed += not _run(arguments, arenas, folder, name, seed)
    sys.exit(1 if failed else 0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--case", action="append", choices=sorted(CASES), help="a case (default: all)")
    parser.add_argument("--seeds", type=int, default=1, help="runs of each case")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--system", choices=sorted(SYSTEMS), default="snowshed", help="faust is the control")
    parser.add_argument("--protocol", choices=("classic", "consumer"), help="group protocol (default: by the seed)")
    parser.add_argument("--bootstrap", metavar="HOST:PORT", help="a broker of yours in place of one of our own")
    parser.add_argument("--results", type=Path, default=[], action="append", help="file that verdicts are added to")
    parser.add_argument("--page", type=Path, help="run nothing; put the table of the results into this page")
    return parser.parse_args()


def _run(arguments: argparse.Namespace, arenas: Arenas, folder: Path, name: str, seed: int) -> bool:
    case = CASES[name]
    prefix = f"chaos-{name}-{seed}-{uuid4().hex[:6]}"
    logs = folder / prefix
    logs.mkdir()
    protocol = arguments.protocol or case.protocols[seed % len(case.protocols)]
    plan = Plan(SYSTEMS[arguments.system], case, seed, protocol, prefix)
    verdict = carry_out(Run(plan, case.arena(arenas), logs))
    print(f"{time.strftime('%H:%M:%S')} {verdict}", flush=True)
    for path in arguments.results:
        results.append(path, verdict)
    return verdict.ok


def _write_page(page: Path, files: list[Path]) -> None:
    start, end = "<!-- results of chaos -->", "<!-- end of chaos -->"
    text = page.read_text()
    table = results.table(results.load(files))
    when = time.strftime("%Y-%m-%d", time.gmtime())
    head = f"Run until {when} on {describe_machine()}; Apache Kafka, local."
    before, after = text.split(start)[0], text.split(end)[1]
    page.write_text(f"{before}{start}\n\n{head}\n\n{table}\n\n{end}{after}")


if __name__ == "__main__":
    main()
