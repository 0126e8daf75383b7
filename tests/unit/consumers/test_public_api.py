"""What a service may rely on."""

from __future__ import annotations

import subprocess
import sys

import pytest

import snowshed.consumers
import snowshed.consumers.around
import snowshed.consumers.brakes
import snowshed.consumers.testing
from snowshed.consumers import Guard
from snowshed.consumers.testing import decision, set_decisions
from snowshed.schemas.errors import Rejected
from snowshed.schemas.records import DecisionKind


@pytest.mark.parametrize(
    "module",
    [snowshed.consumers, snowshed.consumers.around, snowshed.consumers.brakes, snowshed.consumers.testing],
)
def test_public_names_are_sorted_and_exist(module: object) -> None:
    names = module.__dict__["__all__"]
    classes = sorted(name for name in names if name[0].isupper())
    assert names == sorted(name for name in names if name.isupper()) + [
        name for name in classes if not name.isupper()
    ] + sorted(name for name in names if name[0].islower())
    assert all(name in module.__dict__ for name in names)


def test_importing_the_package_loads_nothing_but_its_three_dependencies() -> None:
    heavy = ("httpx", "sqlalchemy", "numpy", "faust", "aiokafka", "psutil", "pydantic")
    program = f"import sys, snowshed.consumers; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_decisions_set_for_a_test_end_with_its_block() -> None:
    guard = Guard("orders")
    with set_decisions(guard) as view:
        guard.admit()
        view.apply(decision("orders", DecisionKind.BREAKER, p_reject=1.0))
        with pytest.raises(Rejected):
            guard.admit()
    guard.admit()
