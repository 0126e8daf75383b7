"""A supervisor's link to the coordinator on a real broker: in plain text, and with TLS and passwords."""

from __future__ import annotations

import subprocess
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._scram import ScramCredentialInfo, ScramMechanism, UserScramCredentialUpsertion
from tests.support.core_rig import Rig, wait_until

from snowshed.schemas.access import translate
from snowshed.schemas.connection import KafkaConnection
from snowshed.streams.broker import Broker, LocalKafka, free_ports
from snowshed.streams.hosting import Membership
from snowshed.streams.supervision import link as link_module
from snowshed.streams.supervision.leaving import Departure, Outcome
from snowshed.streams.supervision.link import GroupLink
from snowshed.streams.transactions.protocol import GroupSettings, Protocol

pytestmark = pytest.mark.broker

LONG = 45.0
GONE = Departure(Outcome.GONE, "UnknownMemberIdError (25)")


@contextmanager
def member(connection: KafkaConnection, group: str, topic: str, protocol: Protocol) -> Generator[Membership]:
    """A member of the group that holds the topic's partitions and then says no more."""
    settings = GroupSettings(group, protocol, LONG).librdkafka()
    consumer = Consumer(connection.librdkafka({**settings, "auto.offset.reset": "earliest", "log_level": 0}))
    consumer.subscribe([topic])
    try:
        wait_until(lambda: bool(consumer.poll(0.05) is None and consumer.assignment()), 60, what="it has joined")
        yield Membership(group, protocol, consumer.memberid() or "")
    finally:
        consumer.close()


async def settled(link: GroupLink, membership: Membership, consumer_polls: int = 100) -> bool:
    for _ in range(consumer_polls):
        if await link.settled(membership):
            return True
    return False


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
async def test_a_member_is_taken_out_of_its_group_once(kafka: Broker, prefix: str, protocol: Protocol) -> None:
    rig = Rig(kafka.bootstrap, prefix)
    link = GroupLink(translate(rig.connection), prefix)
    with member(rig.connection, prefix, rig.topics.full("heartbeats"), protocol) as membership:
        assert await settled(link, membership)
        assert not await link.settled(Membership(prefix, protocol, "somebody-else"))
        assert await link.leave(membership) == Departure(Outcome.LEFT)
        assert not await link.settled(membership)
        assert await link.leave(membership) == GONE
    await link.close()


# TLS and passwords


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A broker's certificate for the loopback address, its key beside it."""
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "broker.key", folder / "broker.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=broker"]
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command, *names], check=True, capture_output=True)
    return certificate


@pytest.fixture(scope="module")
def guarded(certificate: Path) -> Generator[Mapping[str, str]]:
    """A broker that also listens with TLS and asks for passwords: its addresses, plain and guarded."""
    plain, tls, controller = free_ports(3)
    store = certificate.with_name("store.pem")
    store.write_text(certificate.with_suffix(".key").read_text() + certificate.read_text())
    clients = f"PLAINTEXT://127.0.0.1:{plain},SASL_SSL://127.0.0.1:{tls}"
    extra = {
        "listeners": f"{clients},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": clients,
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT",
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(store),
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
        "listener.name.sasl_ssl.plain.sasl.jaas.config": (
            'org.apache.kafka.common.security.plain.PlainLoginModule required user_me="secret";'
        ),
        "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        ),
    }
    with LocalKafka(port=plain, controller_port=controller, extra=extra) as broker:
        admin: Any = AdminClient({"bootstrap.servers": broker.bootstrap})
        credential = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        wanted = [UserScramCredentialUpsertion("me", credential, b"secret")]
        cast("dict[str, Any]", admin.alter_user_scram_credentials(wanted))["me"].result()
        yield {"plain": broker.bootstrap, "guarded": f"127.0.0.1:{tls}"}


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512"])
async def test_the_properties_of_the_workers_open_the_link_too(
    guarded: Mapping[str, str], certificate: Path, prefix: str, mechanism: str, protocol: Protocol
) -> None:
    rig = Rig(guarded["plain"], prefix)
    connection = secured(guarded, certificate, mechanism, "secret")
    link = GroupLink(translate(connection), prefix)
    with member(connection, prefix, rig.topics.full("heartbeats"), protocol) as membership:
        assert await settled(link, membership)
        assert await link.leave(membership) == Departure(Outcome.LEFT)
    await link.close()


async def test_a_wrong_password_and_an_unknown_certificate_open_nothing(
    guarded: Mapping[str, str], certificate: Path, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    right, wrong = (secured(guarded, certificate, "PLAIN", password) for password in ("secret", "guess"))
    strange = KafkaConnection(right.bootstrap, {**right.properties, "ssl.ca.location": "probe"})
    somebody = Membership(prefix, "classic", "somebody")
    outcomes: list[Outcome] = []
    for connection in (right, wrong, strange):
        link = GroupLink(translate(connection), prefix)
        outcomes.append((await link.leave(somebody)).outcome)
        await link.close()
        monkeypatch.setattr(link_module, "_PATIENCE", 0.0)  # the others would be asked in vain for long
    assert outcomes == [Outcome.GONE, Outcome.UNANSWERED, Outcome.UNANSWERED]


def secured(guarded: Mapping[str, str], certificate: Path, mechanism: str, password: str) -> KafkaConnection:
    return KafkaConnection(
        guarded["guarded"],
        {
            "security.protocol": "sasl_ssl",
            "ssl.ca.location": str(certificate),
            "sasl.mechanism": mechanism,
            "sasl.username": "me",
            "sasl.password": password,
        },
    )
