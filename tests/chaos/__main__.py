"""`python -m tests.chaos`: runs cases with seeds, prints each verdict and a table."""

from __future__ import annotations

import argparse
import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import mkdtemp
from uuid import uuid4

from tests.chaos.arenas import Arenas
from tests.chaos.cases import CASES
from tests.chaos.run import Plan, Run, carry_out
from tests.chaos.systems import SYSTEMS


def main() -> None:
    """Run what is asked for; exit code 1 when a run of Snowshed failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--case", action="append", choices=sorted(CASES), help="a case (default: all)")
    parser.add_argument("--seeds", type=int, default=1, help="runs of each case")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--system", choices=sorted(SYSTEMS), default="snowshed")
    parser.add_argument("--protocol", choices=("classic", "consumer"), help="group protocol (default: by the seed)")
    arguments = parser.parse_args()
    folder = Path(mkdtemp(prefix="snowshed-chaos-"))
    print(f"logs are in {folder}", flush=True)
    with ExitStack() as stack:
        arenas = Arenas(stack, folder, lambda text: print(f"  {time.strftime('%H:%M:%S')} {text}", flush=True))
        for seed in range(arguments.first, arguments.first + arguments.seeds):
            for name in arguments.case or CASES:
                case = CASES[name]
                protocol = arguments.protocol or ("consumer", "classic")[seed % 2]
                prefix = f"chaos-{name}-{seed}-{uuid4().hex[:6]}"
                logs = folder / prefix
                logs.mkdir()
                plan = Plan(SYSTEMS[arguments.system], case, seed, protocol, prefix)
                print(carry_out(Run(plan, case.arena(arenas), logs)), flush=True)


if __name__ == "__main__":
    main()
