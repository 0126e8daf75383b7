"""What the executor for systemd does to units of a real systemd."""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.support.acting import run
from tests.support.core_rig import wait_until
from tests.support.systemd import SystemManager, system_manager

from snowshed.consumers.actions.executors.base import Result, Verdict
from snowshed.consumers.actions.executors.systemd import Scope, Systemd
from snowshed.schemas.records import ActionKind


@pytest.fixture(scope="module")
def running() -> Generator[SystemManager]:
    with system_manager() as found:
        yield found


@pytest.fixture
def manager(running: SystemManager, monkeypatch: pytest.MonkeyPatch) -> SystemManager:
    monkeypatch.setenv("PATH", running.path)
    monkeypatch.setenv("XDG_RUNTIME_DIR", running.runtime)
    return running


def test_a_restarted_unit_runs_anew_once_and_its_neighbour_goes_on(manager: SystemManager, prefix: str) -> None:
    unit, neighbour = f"{prefix}.service", f"{prefix}0.service"
    for one in (unit, neighbour):
        manager.write(one, "ExecStart=RUN")
        manager.ask("start", one)
    before, beside = manager.process(unit), manager.process(neighbour)
    assert run(Systemd(ActionKind.RESTART, "$service.service"), service=prefix) == Result(Verdict.DONE, "exit code 0")
    assert manager.process(unit) not in {0, before}
    assert manager.process(neighbour) == beside
    wait_until(lambda: len(manager.runs(unit)) >= 2, what="its second run is counted")
    assert len(manager.runs(unit)) == 2


def test_a_drained_unit_stops_and_stays_so(manager: SystemManager, prefix: str) -> None:
    unit = f"{prefix}.service"
    manager.write(unit, "ExecStart=RUN\nRestart=always")
    manager.ask("start", unit)
    drain = Systemd(ActionKind.DRAIN, unit)
    assert [run(drain).verdict, run(drain).verdict] == [Verdict.DONE] * 2
    assert (manager.state(unit), manager.process(unit)) == ("inactive", 0)


@pytest.mark.parametrize("node", ["2", "n:1.zone_a", "a-b", "a@b"])
def test_one_more_instance_of_a_template_starts_and_those_that_run_go_on(
    manager: SystemManager, prefix: str, node: str
) -> None:
    manager.write(f"{prefix}@.service", "ExecStart=RUN")
    first, second = f"{prefix}@1.service", f"{prefix}@{node}.service"
    manager.ask("start", first)
    before = manager.process(first)
    more = Systemd(ActionKind.SCALE_OUT, f"{prefix}@$node.service")
    assert run(more, node=node).verdict is Verdict.DONE
    started = manager.process(second)
    assert started != 0
    assert manager.process(first) == before
    wait_until(lambda: manager.runs(second) == [node], what="it knows which instance it is")
    assert run(more, node=node).verdict is Verdict.DONE
    assert manager.process(second) == started, "an instance that runs already is left alone"


def test_a_unit_that_is_not_there_is_a_failure_in_systemctls_words(manager: SystemManager, prefix: str) -> None:
    for kind in (ActionKind.RESTART, ActionKind.SCALE_OUT):
        result = run(Systemd(kind, f"{prefix}.service"))
        assert result.verdict is Verdict.FAILED
        assert f"Unit {prefix}.service not found." in result.output
    result = run(Systemd(ActionKind.DRAIN, f"{prefix}.service"))
    assert result.verdict is Verdict.FAILED
    assert f"Unit {prefix}.service not loaded." in result.output
    assert manager.process(f"{prefix}.service") == 0


def test_a_unit_that_does_not_come_up_is_a_failure_in_systemctls_words(manager: SystemManager, prefix: str) -> None:
    unit = f"{prefix}.service"
    manager.write(unit, "Type=oneshot\nExecStart=/bin/false")
    result = run(Systemd(ActionKind.RESTART, unit))
    assert result.verdict is Verdict.FAILED
    assert f"Job for {unit} failed" in result.output
    assert manager.state(unit) == "failed"


def hanging(manager: SystemManager, prefix: str) -> str:
    """A unit that runs and, told to stop, does so when the file `<unit>.go` is there."""
    unit = f"{prefix}.service"
    manager.write(
        unit, f"ExecStart=RUN\nExecStop=/bin/sh -c 'until [ -e {manager.file('%n.go')} ]; do sleep 0.05; done'"
    )
    manager.ask("start", unit)
    wait_until(lambda: len(manager.runs(unit)) == 1, what="its first run is counted")
    return unit


def released(manager: SystemManager, unit: str) -> None:
    """Let it stop, and check that it was restarted once."""
    manager.file(f"{unit}.go").touch()
    wait_until(lambda: not manager.pending(unit), 60, what="systemd has done what it was told")
    wait_until(lambda: len(manager.runs(unit)) >= 2, what="its second run is counted")
    assert len(manager.runs(unit)) == 2


def test_a_unit_that_stops_for_longer_than_the_action_lasts_is_restarted_all_the_same_so_nobody_knows(
    manager: SystemManager, prefix: str
) -> None:
    unit = hanging(manager, prefix)
    restart = Systemd(ActionKind.RESTART, unit)
    first = run(restart, timeout=1.0)
    assert first.verdict is Verdict.UNKNOWN
    assert "killed after 1 s" in first.output
    assert manager.pending(unit)
    assert run(restart, timeout=1.0).verdict is Verdict.UNKNOWN, "an idempotent action, begun again, waits for the same"
    released(manager, unit)


def test_a_systemd_that_is_replaced_while_it_works_leaves_an_action_of_which_nobody_knows(
    manager: SystemManager, prefix: str
) -> None:
    unit = hanging(manager, prefix)
    with ThreadPoolExecutor(1) as pool:
        acting = pool.submit(run, Systemd(ActionKind.RESTART, unit), timeout=60.0)
        wait_until(lambda: manager.pending(unit), 60, what="systemd has been told")
        manager.ask("daemon-reexec")
        assert acting.result(60).verdict is Verdict.UNKNOWN
    released(manager, unit)


def test_a_users_own_systemd_is_told_as_well(manager: SystemManager, prefix: str) -> None:
    unit = f"{prefix}.service"
    manager.write(unit, "ExecStart=RUN")
    manager.ask("start", "user.service", unit)
    manager.ask("--user", "start", unit)
    before, beside = manager.process(unit, "--user"), manager.process(unit)
    restart = Systemd(ActionKind.RESTART, unit, scope=Scope.USER)
    assert restart.describe({}) == f"systemctl --user restart {unit}"
    assert run(restart).verdict is Verdict.DONE
    assert manager.process(unit, "--user") not in {0, before}
    assert manager.process(unit) == beside != before
    missing = run(Systemd(ActionKind.RESTART, "missing.service", scope=Scope.USER))
    assert (missing.verdict, "Unit missing.service not found." in missing.output) == (Verdict.FAILED, True)
