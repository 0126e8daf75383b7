from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from snowshed.schemas.records import Decision, DecisionKind, Incident, IncidentKind, IncidentStatus, ScopeKind
from snowshed.streams.cli.app import build_app
from snowshed.streams.replay import ReplayResult, compare
from snowshed.streams.replay.spans import spans_of


def incident(opened: float, closed: float | None, subject: str = "a") -> Incident:
    return Incident(
        incident_id=f"{subject}-{opened}",
        domain="default",
        kind=IncidentKind.OVERLOAD,
        status=IncidentStatus.OPEN if closed is None else IncidentStatus.CLOSED,
        subject=subject,
        summary="",
        opened_at=opened,
        updated_at=opened,
        closed_at=closed,
        confidence=1.0,
        detector_lag=0.0,
    )


def decision(at: float, *, active: bool = True, budget: float = 0.1, scope: str = "a") -> Decision:
    return Decision(
        decision_id="d",
        domain="default",
        scope=scope,
        scope_kind=ScopeKind.SERVICE,
        kind=DecisionKind.RETRY,
        active=active,
        epoch=0,
        seq=0,
        issued_at=at,
        ttl=10.0,
        retry_budget=budget,
        reason="",
        confidence=1.0,
    )


def result(*records: Incident | Decision) -> ReplayResult:
    return ReplayResult(
        batches=0,
        records=0,
        verified=0,
        refused=0,
        differences=(),
        unproved=(),
        incidents=tuple(record for record in records if isinstance(record, Incident)),
        decisions=tuple(record for record in records if isinstance(record, Decision)),
        dead_letters=(),
    )


def test_a_decision_lasts_from_when_it_is_taken_over_its_renewals_until_it_is_lifted() -> None:
    [span] = spans_of((), [decision(1.0), decision(5.0, budget=0.05), decision(9.0, active=False)])
    assert (span.begun, span.ended, span.setting) == (1.0, 9.0, "retry budget 0.05")


def test_a_decision_that_ran_out_and_is_taken_again_is_another_one() -> None:
    first, second = spans_of((), [decision(1.0), decision(30.0)])
    assert (first.begun, first.ended) == (1.0, 11.0)
    assert (second.begun, second.ended) == (30.0, None)


def test_what_both_do_alike_is_the_same() -> None:
    found = compare(result(incident(1.0, 9.0), decision(2.0)), result(incident(1.0, 9.0), decision(2.0)))
    assert len(found.same) == 2
    assert (found.only_a, found.only_b, found.changed) == ((), (), ())


def test_what_begins_earlier_or_is_set_otherwise_is_changed() -> None:
    found = compare(result(incident(5.0, 9.0), decision(2.0)), result(incident(3.0, 9.0), decision(2.0, budget=0.2)))
    assert [(pair.a.what, pair.shift) for pair in found.changed] == [("decision", 0.0), ("incident", -2.0)]
    assert found.same == ()


def test_what_one_alone_does_is_told_of_that_one() -> None:
    found = compare(
        result(incident(1.0, 5.0, "a"), incident(1.0, 5.0, "b")), result(incident(1.0, 5.0, "b"), decision(3.0))
    )
    assert [span.subject for span in found.only_a] == ["a"]
    assert [span.what for span in found.only_b] == ["decision"]
    assert len(found.same) == 1


def test_a_second_incident_of_the_same_subject_is_matched_with_the_nearer_one() -> None:
    found = compare(result(incident(100.0, 110.0)), result(incident(1.0, 5.0), incident(102.0, 110.0)))
    assert [span.begun for span in found.only_b] == [1.0]
    assert [pair.shift for pair in found.changed] == [2.0]


def test_incidents_that_are_far_apart_are_not_the_same_trouble() -> None:
    found = compare(result(incident(1.0, 5.0)), result(incident(90.0, 95.0)))
    assert (len(found.only_a), len(found.only_b)) == (1, 1)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "storm.jsonl.gz"
    assert run("publish", "scenario", "retry-storm", "--out", str(path)).exit_code == 0
    return path


@pytest.fixture
def deaf(tmp_path: Path) -> Path:
    path = tmp_path / "deaf.toml"
    path.write_text("[retry]\nact = 50.0\n[edges]\namplification = 50.0\n")
    return path


def run(*words: str) -> Result:
    return CliRunner().invoke(build_app(words), words)


def test_two_policies_are_told_side_by_side(recording: Path, deaf: Path) -> None:
    told = run("replay", "--against", str(deaf), str(recording))
    assert told.exit_code == 0
    assert "incidents: 1 only under A, 0 only under B, 0 otherwise, 0 the same" in told.stdout
    assert "retry_amplification of payments" in told.stdout
    other = run("replay", "--policy", str(deaf), "--against", str(deaf), str(recording), "--json")
    found = json.loads(other.stdout)["comparison"]
    assert (found["only_a"], found["only_b"], found["changed"]) == ([], [], [])


def test_two_policies_are_drawn_side_by_side(recording: Path, deaf: Path, tmp_path: Path) -> None:
    file = tmp_path / "both.svg"
    assert run("replay", "--against", str(deaf), "--plot", str(file), str(recording)).exit_code == 0
    assert file.read_text().startswith("<?xml")


def test_without_matplotlib_the_extra_to_install_is_named(
    recording: Path, deaf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere(_: str) -> None: ...

    monkeypatch.setattr("snowshed.streams.plotting.picture.find_spec", nowhere)
    told = run("replay", "--against", str(deaf), "--plot", "both.svg", str(recording))
    assert told.exit_code == 1
    assert 'pip install "snowshed[plot]"' in told.stderr


def test_a_comparison_wants_recordings_and_a_picture_wants_a_comparison(recording: Path, deaf: Path) -> None:
    for words in (("--from-kafka", "--against", str(deaf)), ("--plot", "x.svg", str(recording))):
        told = run("replay", *words)
        assert told.exit_code == 1
        assert "--against compares policies on recordings" in told.stderr
