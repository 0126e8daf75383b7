"""What a broker's refusal means: a permission that somebody has to grant is no trouble that passes."""

from __future__ import annotations

from confluent_kafka import KafkaError

from snowshed.schemas.errors import ConfigurationError

__all__ = ["check_permission"]

_FORBIDDEN = frozenset(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    }
)


def check_permission(error: KafkaError, role: str) -> None:
    """Pass over an error unless it denies a permission.

    Args:
        error: what the broker or its client said.
        role: the role whose permissions are needed.

    Raises:
        ConfigurationError: a permission is missing.
    """
    if error.code() in _FORBIDDEN:
        raise ConfigurationError(
            f"Kafka denies a permission ({error.str()}): grant what `snowshed topics --acls USER={role}` prints"
        )
