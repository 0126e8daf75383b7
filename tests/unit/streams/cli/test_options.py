"""What options and environment variables become."""

from __future__ import annotations

from pathlib import Path

import pytest

from snowshed.schemas.errors import ConfigurationError
from snowshed.schemas.topics import AGENTS, CATALOGUE, Topics
from snowshed.streams.cli.agent import postgres_targets
from snowshed.streams.cli.data import data_folder
from snowshed.streams.cli.options import connection_to
from snowshed.streams.cli.topics import creation_lines
from snowshed.streams.cli.worker_settings import worker_settings
from snowshed.streams.replay.capture import captured_topics


def test_the_connection_keeps_the_properties_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNOWSHED_BOOTSTRAP", "elsewhere:9092")
    monkeypatch.setenv("SNOWSHED_KAFKA__SECURITY_PROTOCOL", "ssl")
    connection = connection_to("kafka:9093")
    assert connection.bootstrap == "kafka:9093"
    assert connection.properties == {"security.protocol": "ssl"}


def test_an_option_of_the_worker_beats_its_variable_and_none_leaves_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNOWSHED_PREFIX", "from-environment")
    monkeypatch.setenv("SNOWSHED_WEB_PORT", "7000")
    settings = worker_settings(prefix="from-option", web_port=None)
    assert (settings.prefix, settings.web_port) == ("from-option", 7000)


def test_a_wrong_setting_is_named_as_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNOWSHED_PARTITIONS", "many")
    with pytest.raises(ConfigurationError, match=r"SNOWSHED_PARTITIONS .* not 'many'"):
        worker_settings()


def test_primaries_and_replicas_become_datasets() -> None:
    targets = postgres_targets(
        ["orders=postgresql://u@a/x?sslmode=require", "stock=host=b dbname=y"],
        ["orders/r1=postgresql://u@c/x", "orders/r2=postgresql://u@d/x"],
    )
    assert [target.dataset for target in targets] == ["orders", "stock"]
    assert targets[0].source_url == "postgresql://u@a/x?sslmode=require"
    assert dict(targets[0].replicas) == {"r1": "postgresql://u@c/x", "r2": "postgresql://u@d/x"}
    assert dict(targets[1].replicas) == {}


@pytest.mark.parametrize(
    ("primaries", "replicas"),
    [
        (["orders"], []),
        (["=postgresql://u:secret@a/x"], []),
        (["orders=postgresql://u:secret@a/x", "orders=postgresql://u:secret@b/x"], []),
        (["orders=postgresql://u:secret@a/x"], ["orders=postgresql://u:secret@b/x"]),
        (["orders=postgresql://u:secret@a/x"], ["stock/r1=postgresql://u:secret@b/x"]),
        (["orders=postgresql://u:secret@a/x"], ["orders/r1=postgresql://u:secret@b/x"] * 2),
    ],
)
def test_a_database_option_of_the_wrong_form_is_explained_without_its_secret(
    primaries: list[str], replicas: list[str]
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        postgres_targets(primaries, replicas)
    assert "secret" not in str(caught.value)


def test_records_are_kept_where_the_user_keeps_data(tmp_path: Path) -> None:
    assert data_folder(tmp_path) == tmp_path
    assert data_folder(None, {"XDG_DATA_HOME": "/data"}) == Path("/data/snowshed")
    assert data_folder(None, {}) == Path.home() / ".local" / "share" / "snowshed"


def test_the_lines_that_create_topics_by_hand_name_all_of_them_with_their_settings() -> None:
    topics = Topics("acme", partitions=3, replication=2)
    lines = list(creation_lines(topics, "kafka:9092"))
    assert len(lines) == len(CATALOGUE)
    [incidents] = [line for line in lines if " acme.incidents " in line]
    assert "--bootstrap-server kafka:9092 --create" in incidents
    assert "--partitions 3 --replication-factor 2" in incidents
    assert "'cleanup.policy=[compact,delete]'" in incidents


def test_journals_are_recorded_before_the_records_that_they_tell_of() -> None:
    kinds = [short.partition(".")[0] for short in captured_topics()]
    assert kinds == ["checkpoint"] * 4 + ["journal"] * 4 + [*AGENTS.values()]
