from __future__ import annotations

from collections.abc import Generator
from typing import Any
from uuid import uuid4

import pytest
from tests.support.container import ApacheKafkaContainer
from tests.support.engine import container_engine
from tests.support.roundtrip import create_topic, produce, read_committed, transact

from snowshed.schemas.errors import BrokerUnavailable
from snowshed.streams.broker import ContainerKafka, wait_ready
from snowshed.streams.broker.docker_engine import connect

pytestmark = pytest.mark.container


@pytest.fixture(scope="module")
def image() -> Generator[str]:
    with container_engine() as name:
        yield name


@pytest.fixture(scope="module")
def container(image: str) -> Generator[ApacheKafkaContainer]:
    with ApacheKafkaContainer(image) as running:
        yield running


def test_a_container_carries_records(container: ApacheKafkaContainer, prefix: str) -> None:
    create_topic(container.bootstrap, prefix)
    produce(container.bootstrap, prefix, ["a", "b"])
    assert read_committed(container.bootstrap, prefix, 2) == ["a", "b"]


def test_a_container_hides_records_of_an_aborted_transaction(container: ApacheKafkaContainer, prefix: str) -> None:
    create_topic(container.bootstrap, prefix)
    transact(container.bootstrap, prefix, ["aborted"], commit=False)
    transact(container.bootstrap, prefix, ["committed"], commit=True)
    assert read_committed(container.bootstrap, prefix, 1) == ["committed"]


def test_a_restarted_container_keeps_its_address_and_records(container: ApacheKafkaContainer, prefix: str) -> None:
    create_topic(container.bootstrap, prefix)
    produce(container.bootstrap, prefix, ["kept"])
    container.restart()
    wait_ready(container.bootstrap, timeout=60)
    assert read_committed(container.bootstrap, prefix, 1) == ["kept"]


def test_a_named_container_keeps_its_records_in_a_volume_and_is_one_at_a_time(image: str) -> None:
    name = f"snowshed-test-{uuid4().hex[:8]}"
    try:
        with ContainerKafka(name, image=image) as first:
            create_topic(first.bootstrap, "kept")
            produce(first.bootstrap, "kept", ["x"])
            with pytest.raises(BrokerUnavailable, match=f"{name} runs already"):
                ContainerKafka(name, image=image).start()
        with ContainerKafka(name, image=image) as second:
            assert read_committed(second.bootstrap, "kept", 1) == ["x"]
    finally:
        engine: Any = connect()
        engine.volumes.get(name).remove()
        engine.close()


def test_an_image_that_cannot_be_had_is_named(image: str) -> None:
    missing = "127.0.0.1:1/no/such:image"
    with pytest.raises(BrokerUnavailable, match=f"could not run {missing}"):
        ContainerKafka(image=missing).start()
    assert image != missing


def test_a_broker_that_ends_in_its_container_shows_the_end_of_its_log(image: str) -> None:
    with pytest.raises(BrokerUnavailable, match=r"last lines of its log(.|\n)*NoSuchAuthorizer"):
        ContainerKafka(image=image, extra={"authorizer.class.name": "NoSuchAuthorizer"}).start()
