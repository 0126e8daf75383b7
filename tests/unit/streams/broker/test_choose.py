from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowshed.schemas.errors import BrokerUnavailable, ConfigurationError
from snowshed.streams.broker import BrokerSettings, Kind, candidates
from snowshed.streams.broker.choose import none_available

_KINDS = st.sampled_from(["external", "docker", "local"])


def test_docker_is_tried_before_a_child_process_when_nothing_is_said() -> None:
    assert candidates(BrokerSettings()) == ("docker", "local")


def test_an_address_is_used_alone() -> None:
    assert candidates(BrokerSettings(bootstrap="kafka:9092")) == ("external",)


@given(kind=_KINDS)
def test_a_forced_kind_is_the_only_one_tried(kind: Kind) -> None:
    assert candidates(BrokerSettings(bootstrap="kafka:9092", force=kind)) == (kind,)


def test_the_order_among_own_brokers_can_be_given() -> None:
    assert candidates(BrokerSettings(), own=("local", "docker")) == ("local", "docker")


def test_forcing_an_external_broker_without_an_address_is_the_callers_mistake() -> None:
    with pytest.raises(ConfigurationError, match="SNOWSHED_BOOTSTRAP"):
        candidates(BrokerSettings(force="external"))


def test_settings_come_from_the_environment() -> None:
    environ = {"SNOWSHED_BOOTSTRAP": "kafka:9092", "SNOWSHED_BROKER": "local"}
    assert BrokerSettings.from_environment(environ) == BrokerSettings(bootstrap="kafka:9092", force="local")


@pytest.mark.parametrize("environ", [{}, {"SNOWSHED_BOOTSTRAP": "", "SNOWSHED_BROKER": ""}])
def test_empty_variables_count_as_unset(environ: dict[str, str]) -> None:
    assert BrokerSettings.from_environment(environ) == BrokerSettings()


def test_an_unknown_kind_is_refused_with_those_that_exist() -> None:
    with pytest.raises(ConfigurationError, match="SNOWSHED_BROKER='podman' is not one of external, docker, local"):
        BrokerSettings.from_environment({"SNOWSHED_BROKER": "podman"})


def test_the_final_error_names_why_each_kind_failed_and_both_remedies() -> None:
    reasons: dict[Kind, BrokerUnavailable] = {
        "docker": BrokerUnavailable("no daemon answers"),
        "local": BrokerUnavailable("no Java"),
    }
    message = str(none_available(reasons))
    for part in (
        "docker: no daemon answers",
        "local: no Java",
        "systemctl start docker",
        "openjdk-17-jre-headless maven",
    ):
        assert part in message


def test_an_unreachable_external_broker_is_reported_as_it_is() -> None:
    reason = BrokerUnavailable("kafka:9092 lists no broker")
    assert none_available({"external": reason}) is reason
