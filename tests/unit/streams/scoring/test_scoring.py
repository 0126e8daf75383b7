from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from snowshed.schemas.errors import ConfigurationError
from snowshed.schemas.records import Cause, Incident, IncidentKind, IncidentStatus
from snowshed.streams.cli.app import build_app
from snowshed.streams.policy import Policy
from snowshed.streams.scoring import CaseScore, Label, judge, parts_of, read_labels, score, score_case
from snowshed.streams.scoring.baselines import BASELINES
from snowshed.streams.scoring.entry import EntrySecond
from snowshed.streams.scoring.outcome import alarms_of

CORPUS = Path(__file__).parents[3] / "corpus"
START = 1000.0
TROUBLE = Label(
    case="storm-1",
    kind="storm",
    description="",
    seed=1,
    start=START,
    seconds=100,
    onset=40.0,
    end=50.0,
    recovered=60.0,
    metastable=False,
    trigger=("server",),
    victims=(),
    expected=("metastable",),
    entries=("client>server",),
)
CALM = Label(
    case="calm-1",
    kind="calm",
    description="",
    seed=1,
    start=START,
    seconds=100,
    onset=None,
    end=None,
    recovered=None,
    metastable=False,
    trigger=(),
    victims=(),
    expected=(),
    entries=("client>server",),
)


def incident(
    at: float,
    *causes: str,
    kind: IncidentKind = IncidentKind.OVERLOAD,
    part_of: str = "",
    members: tuple[str, ...] = (),
) -> Incident:
    return Incident(
        incident_id=f"{kind.value}-{at}",
        domain="default",
        kind=kind,
        status=IncidentStatus.OPEN,
        subject="subject",
        summary="",
        opened_at=START + at,
        updated_at=START + at,
        members=members,
        causes=tuple(Cause(name=name, score=1.0) for name in causes),
        confidence=1.0,
        detector_lag=0.0,
        part_of=part_of,
    )


def test_an_alarm_counts_once_it_rings_in_the_trouble_and_one_that_rang_before_earns_nothing() -> None:
    found = alarms_of(TROUBLE, [10.0, 43.0, 69.0, 71.0])
    assert (found.delay, found.false) == (3.0, 2)
    assert found.quiet == 100.0 - 30.0
    assert alarms_of(TROUBLE, [10.0]).delay is None


def test_every_alarm_of_a_calm_case_is_false() -> None:
    found = alarms_of(CALM, [10.0, 43.0])
    assert (found.delay, found.false, found.quiet) == (None, 2, 100.0)


def test_of_incidents_that_open_together_the_one_with_most_members_speaks() -> None:
    outcome = judge(
        TROUBLE,
        [
            incident(42.0, "client", "server"),
            incident(42.0, "server", "client", "other", kind=IncidentKind.CASCADE, members=("a", "b")),
            incident(42.0, "nobody", kind=IncidentKind.METASTABLE, part_of="cascade-42.0", members=("a", "b", "c")),
        ],
    )
    assert outcome.naming.ranked == ("server", "client", "other")
    assert (outcome.naming.top1, outcome.naming.top3) == (True, True)
    assert outcome.naming.chance1 == pytest.approx(1 / 3)
    assert outcome.naming.chance3 == pytest.approx(1.0)
    assert outcome.kinds == ("overload", "cascade", "metastable")
    assert (outcome.kind_right, outcome.first_right) == (True, False)


def test_an_incident_without_causes_names_what_it_is_about() -> None:
    assert judge(TROUBLE, [incident(42.0)]).naming.ranked == ("subject",)


def test_a_part_of_another_incident_pages_nobody() -> None:
    outcome = judge(CALM, [incident(42.0), incident(42.0, kind=IncidentKind.METASTABLE, part_of="overload-42.0")])
    assert outcome.alarms.false == 1


def test_what_the_detector_says_of_itself_is_no_alarm() -> None:
    outcome = judge(CALM, [incident(42.0, kind=IncidentKind.DETECTOR)])
    assert (outcome.alarms.false, outcome.kinds) == (0, ())


def test_a_score_counts_missed_cases_and_spreads_false_alarms_over_the_quiet_time() -> None:
    outcomes = [
        judge(TROUBLE, [incident(42.0, "server", kind=IncidentKind.METASTABLE)]),
        judge(TROUBLE, []),
        judge(CALM, [incident(3.0), incident(90.0)]),
    ]
    found = score([CaseScore(outcome=each, baselines={"none": each.alarms}) for each in outcomes])
    assert (found.alarms.troubles, found.alarms.detected, found.alarms.delay_median) == (2, 1, 2.0)
    assert found.alarms.false_alarms == 2
    assert found.alarms.false_alarms_a_day == pytest.approx(2 / 240.0 * 86_400)
    assert (found.kind_right, found.top1, found.chance1) == (0.5, 0.5, 0.5)
    assert found.baselines["none"] == found.alarms


def test_the_baselines_ring_when_goodput_falls_or_latency_rises_and_once_an_episode() -> None:
    seconds = [
        EntrySecond(ok=100.0 + number % 3, attempts=100.0, latency=1.0 + number % 2 / 10) for number in range(90)
    ]
    for number in (50, 51, 52, 53):
        seconds[number] = EntrySecond(ok=60.0, attempts=100.0, latency=1.0)
    seconds[70] = EntrySecond(ok=101.0, attempts=100.0, latency=9.0)
    assert BASELINES["entry z > 3 for 1 s"](seconds) == [51.0, 71.0]
    assert BASELINES["entry z > 3 for 3 s"](seconds) == [53.0]


@pytest.fixture
def part(tmp_path: Path) -> Path:
    folder = tmp_path / "corpus" / "dev"
    folder.mkdir(parents=True)
    names = ("retry_storm-1", "benign_flush-1")
    for name in names:
        shutil.copy(CORPUS / "dev" / f"{name}.jsonl.gz", folder)
    lines = (CORPUS / "dev" / "labels.jsonl").read_text().splitlines(keepends=True)
    (folder / "labels.jsonl").write_text("".join(line for line in lines if json.loads(line)["case"] in names))
    return folder


def test_a_recorded_retry_storm_is_found_and_its_server_named(part: Path) -> None:
    label = next(each for each in read_labels(part) if each.case == "retry_storm-1")
    found = score_case(part / "retry_storm-1.jsonl.gz", label, Policy())
    assert found.outcome.kind_right
    assert found.outcome.alarms.delay is not None
    assert found.outcome.alarms.delay < 5.0
    assert found.baselines["entry z > 3 for 3 s"].delay is not None


def run(*words: str) -> Result:
    return CliRunner().invoke(build_app(words), words)


def test_scores_are_told_as_tables_and_as_json(part: Path) -> None:
    told = run("score", str(part.parent))
    assert told.exit_code == 0
    assert "dev: 2 cases, 1 of them with trouble" in told.stdout
    assert "entry z > 3 for 3 s" in told.stdout
    data = json.loads(run("score", str(part), "--json").stdout)
    assert data["score"]["alarms"]["detected"] == 1
    assert data["kinds"].keys() == {"retry_storm", "benign_flush"}
    assert len(data["results"]) == 2


def test_a_folder_without_labels_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="snowshed simulate --corpus"):
        parts_of(tmp_path)
    (tmp_path / "labels.jsonl").write_text('{"case": "a"}\n')
    with pytest.raises(ConfigurationError, match="line 1 is no label"):
        read_labels(tmp_path)


def test_an_unknown_part_is_refused_with_the_known_ones(part: Path) -> None:
    told = run("score", str(part.parent), "--part", "prod")
    assert told.exit_code == 1
    assert "no part prod; there are dev" in told.stderr
