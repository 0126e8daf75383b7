"""A broker that asks who its clients are and what they may do: SASL over TLS, and ACLs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any, Self

from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._acl import AclBinding, AclBindingFilter, AclOperation, AclPermissionType
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType
from tests.support.certificates import make_certificates
from tests.support.container import ApacheKafkaContainer

from snowshed.schemas.connection import KafkaConnection
from snowshed.streams.broker import LocalKafka, free_ports
from snowshed.streams.broker.container import container_environment
from snowshed.streams.broker.node import container_listeners
from snowshed.streams.broker.ports import LOOPBACK
from snowshed.streams.permissions import Grant, granted

__all__ = ["ADMIN", "ROLES_OF", "SecuredKafka", "secured_container", "secured_settings", "user_properties"]

ADMIN = "admin"
ROLES_OF: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "worker": ("worker",),
        "reporter": ("reporter",),
        "guard": ("guard",),
        "operator": ("watcher", "recorder", "retrier", "resetter"),
    }
)
"""The roles of each user; the admin, who has none, may do everything."""

_TIMEOUT = 60.0
_MOUNTED = Path("/mnt/certificates")
_TYPES = {
    "topic": ResourceType.TOPIC,
    "group": ResourceType.GROUP,
    "transactional-id": ResourceType.TRANSACTIONAL_ID,
    "cluster": ResourceType.BROKER,
}
_OPERATIONS = {
    "Read": AclOperation.READ,
    "Write": AclOperation.WRITE,
    "Create": AclOperation.CREATE,
    "Alter": AclOperation.ALTER,
    "Describe": AclOperation.DESCRIBE,
    "DescribeConfigs": AclOperation.DESCRIBE_CONFIGS,
}


def password(user: str) -> str:
    """A user's password on this broker."""
    return f"{user}-secret"


def secured_settings(certificates: Path) -> dict[str, str]:
    """Settings of a broker whose listener SECURED has clients log in over TLS and do only what ACLs allow.

    Args:
        certificates: the folder from `make_certificates`, as the broker sees it.
    """
    logins = " ".join(f'user_{user}="{password(user)}"' for user in (ADMIN, *ROLES_OF))
    login = "org.apache.kafka.common.security.plain.PlainLoginModule required"
    return {
        # Not called after its protocol: the start script of Kafka's image then wants key stores of its own.
        "listener.security.protocol.map": "SECURED:SASL_SSL,BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "BROKER",
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.secured.plain.sasl.jaas.config": f"{login} {logins};",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": f"{certificates}/broker.pem",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": f"User:{ADMIN};User:ANONYMOUS",  # nameless are the node's own words to itself
    }


def _listeners(client: int, broker: int, controller: int) -> dict[str, str]:
    inner = f"SECURED://{LOOPBACK}:{client},BROKER://{LOOPBACK}:{broker}"
    return {
        "listeners": f"{inner},CONTROLLER://{LOOPBACK}:{controller}",
        "advertised.listeners": inner,
        "controller.quorum.voters": f"1@{LOOPBACK}:{controller}",
    }


def user_properties(user: str, certificates: Path) -> dict[str, str]:
    """The librdkafka properties with which a user reaches such a broker."""
    return {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "PLAIN",
        "sasl.username": user,
        "sasl.password": password(user),
        "ssl.ca.location": str(certificates / "ca.pem"),
    }


def secured_container(image: str, certificates: Path) -> ApacheKafkaContainer:
    """The same broker in a container, not yet started.

    Args:
        image: from `container_engine`.
        certificates: the folder from `make_certificates`.
    """
    container = ApacheKafkaContainer(image)
    port = int(container.bootstrap.rpartition(":")[2])
    listeners = {name: value.replace("PLAINTEXT://", "SECURED://") for name, value in container_listeners(port).items()}
    container.env.update(container_environment(port, {**listeners, **secured_settings(_MOUNTED)}))
    # Kafka's image runs as a user of its own.
    certificates.chmod(0o755)
    (certificates / "broker.pem").chmod(0o644)
    container.with_volume_mapping(str(certificates), str(_MOUNTED), "ro")
    return container


class SecuredKafka:
    """One broker with an admin, who may do anything, and the users of `ROLES_OF`, who may nothing at first.

    Args:
        extra: broker settings that replace ours.
    """

    def __init__(self, extra: Mapping[str, str] | None = None) -> None:
        self._folder = TemporaryDirectory(prefix="snowshed-secured-", ignore_cleanup_errors=True)
        self._certificates = Path(self._folder.name) / "certificates"
        self._certificates.mkdir()
        client, broker, controller = free_ports(3)
        self._bootstrap = f"{LOOPBACK}:{client}"
        settings = {**secured_settings(self._certificates), **_listeners(client, broker, controller)}
        self.broker = LocalKafka(
            Path(self._folder.name) / "kafka",
            port=client,
            controller_port=controller,
            extra={**settings, **(extra or {})},
            client=user_properties(ADMIN, self._certificates),
        )
        """The broker's process."""

    def __enter__(self) -> Self:
        make_certificates(self._certificates)
        self.broker.start()
        return self

    def __exit__(self, *details: object) -> None:
        self.broker.close()
        self._folder.cleanup()

    def connection(self, user: str) -> KafkaConnection:
        """How this user reaches the broker."""
        return KafkaConnection(self._bootstrap, user_properties(user, self._certificates))

    def grant_documented(self, prefix: str, app: str) -> None:
        """Create exactly the ACLs that the documentation lists, each user's by the roles that it has.

        Args:
            prefix: first part of every topic's name.
            app: the workers' group.
        """
        for user, roles in ROLES_OF.items():
            self.grant(user, [grant for role in roles for grant in granted(role, prefix, app)])

    def grant(self, user: str, grants: Iterable[Grant]) -> None:
        """Allow a user these operations."""
        admin: Any = self._admin()
        for answer in admin.create_acls([AclBinding(*_acl(user, grant)) for grant in dict.fromkeys(grants)]).values():
            answer.result(_TIMEOUT)

    def withdraw(self, user: str, grant: Grant) -> None:
        """Take one operation from a user again."""
        admin: Any = self._admin()
        for answer in admin.delete_acls([AclBindingFilter(*_acl(user, grant))]).values():
            assert len(answer.result(_TIMEOUT)) == 1, f"{user} had no {grant}"

    def _admin(self) -> AdminClient:
        return AdminClient(self.connection(ADMIN).librdkafka())


def _acl(user: str, grant: Grant) -> tuple[Any, ...]:
    return (
        _TYPES[grant.resource],
        grant.name,
        ResourcePatternType.PREFIXED if grant.prefixed else ResourcePatternType.LITERAL,
        f"User:{user}",
        "*",
        _OPERATIONS[grant.operation],
        AclPermissionType.ALLOW,
    )
