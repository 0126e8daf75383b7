"""How a client is told to reach Kafka."""

from __future__ import annotations

import pickle

import pytest

from snowshed.schemas import ConfigurationError, KafkaConnection


def test_the_environment_names_the_brokers_and_their_properties() -> None:
    connection = KafkaConnection.from_env(
        {
            "SNOWSHED_BOOTSTRAP": "a:9092,b:9092",
            "SNOWSHED_KAFKA__SECURITY_PROTOCOL": "SASL_SSL",
            "SNOWSHED_KAFKA__SSL_CA_LOCATION": "/ca.pem",
            "SNOWSHED_OTHER": "x",
        }
    )
    assert connection == KafkaConnection(
        "a:9092,b:9092", {"security.protocol": "SASL_SSL", "ssl.ca.location": "/ca.pem"}
    )


def test_the_processes_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNOWSHED_BOOTSTRAP", "kafka:9092")
    assert KafkaConnection.from_env().bootstrap == "kafka:9092"


def test_a_clients_own_properties_win_over_the_connections() -> None:
    connection = KafkaConnection("a:9092", {"client.id": "x", "security.protocol": "SSL"})
    found = connection.librdkafka({"client.id": "y", "linger.ms": 5})
    assert {"client.id": "y", "security.protocol": "SSL", "linger.ms": 5}.items() <= found.items()


def test_a_broker_that_has_come_back_is_asked_within_a_second_unless_the_user_wants_otherwise() -> None:
    assert KafkaConnection("a:9092").librdkafka()["reconnect.backoff.max.ms"] == 1_000
    slow = KafkaConnection("a:9092", {"reconnect.backoff.max.ms": "9000"})
    assert slow.librdkafka()["reconnect.backoff.max.ms"] == "9000"


def test_a_configuration_given_out_is_the_callers_to_change() -> None:
    connection = KafkaConnection("a:9092")
    connection.librdkafka()["client.id"] = "x"
    assert "client.id" not in connection.librdkafka()


@pytest.mark.parametrize("bootstrap", ["", "  "])
def test_no_address_names_the_variable_to_set(bootstrap: str) -> None:
    with pytest.raises(ConfigurationError, match="set SNOWSHED_BOOTSTRAP to host:port"):
        KafkaConnection(bootstrap)


@pytest.mark.parametrize(
    "bootstrap", ["localhost", "a:9092,", ":9092", "a:port", "a:0", "a:70000", "a b:9092", "::1:9092", "a:9092;b:9092"]
)
def test_a_malformed_address_is_refused_and_named(bootstrap: str) -> None:
    with pytest.raises(ConfigurationError, match="is not host:port"):
        KafkaConnection(bootstrap)


@pytest.mark.parametrize("bootstrap", ["localhost:9092", "[::1]:9092", "SASL_SSL://k-1.acme.io:443", "a:1, b:65535"])
def test_every_form_of_address_librdkafka_takes_is_taken(bootstrap: str) -> None:
    assert KafkaConnection(bootstrap).bootstrap == bootstrap


@pytest.mark.parametrize(
    "name",
    ["sasl.password", "ssl.key.password", "ssl.keystore.password", "sasl.oauthbearer.client.secret", "ssl.key.pem"],
)
def test_secrets_do_not_show(name: str) -> None:
    shown = repr(KafkaConnection("a:9092", {name: "hunter2", "sasl.username": "ada"}))
    assert "hunter2" not in shown
    assert name in shown
    assert "ada" in shown


def test_a_connection_can_be_sent_to_another_process() -> None:
    connection = KafkaConnection("a:9092", {"client.id": "x"})
    assert pickle.loads(pickle.dumps(connection)) == connection  # noqa: S301 - our own bytes
