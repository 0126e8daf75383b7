"""A worker's settings, from the environment (`SNOWSHED_…`) or given by name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.topics import Topics
from snowshed.streams.transactions.context import LaneLimits

__all__ = ["WorkerSettings"]


class WorkerSettings(BaseSettings):
    """How a worker finds Kafka, names its topics and serves its page.

    Nested values use two underscores: `SNOWSHED_KAFKA__SASL_USERNAME` sets librdkafka's `sasl.username`.
    """

    model_config = SettingsConfigDict(env_prefix="SNOWSHED_", env_nested_delimiter="__", frozen=True, extra="ignore")

    bootstrap: str = "127.0.0.1:9092"
    """Kafka brokers as `host:port`, separated by commas."""
    kafka: dict[str, SecretStr] = {}
    """Further librdkafka properties, underscores standing for dots."""
    app: str = "snowshed"
    """Consumer group and prefix of the transactional ids; workers with the same name share the work."""
    prefix: str = "snowshed"
    """First part of every topic's name."""
    partitions: Annotated[int, Field(ge=1)] | None = None
    """Partitions of every topic that this worker creates; the catalogue's numbers when unset."""
    replication: int = -1
    """Replication factor of topics that this worker creates; -1 leaves it to the broker."""
    registry_url: str | None = None
    """Schema registry; the embedded catalogue when unset."""
    policy: Path | None = None
    """Policy file (TOML); the built-in defaults when unset."""
    group_protocol: Literal["auto", "classic", "consumer"] = "auto"
    session: Annotated[float, Field(gt=0)] | None = None
    """Seconds after which a silent worker is replaced, where the classic protocol lets us choose."""
    batch: Annotated[int, Field(ge=1)] = 5_000
    """Records in one transaction at most."""
    tick: Annotated[float, Field(gt=0)] = 0.2
    """Seconds between looks at a silent partition."""
    transaction_timeout: Annotated[float, Field(gt=0)] = 10.0
    checkpoint: Annotated[float, Field(ge=0)] = 900.0
    """Seconds between two checkpoints of a partition's state, from which a replay can begin; 0 writes none."""
    web_host: str = "127.0.0.1"
    web_port: Annotated[int, Field(ge=0, le=65535)] = 6066
    web_orders: bool = False
    """Whether the page takes operators' orders from whoever reaches it: it knows no users."""
    processes: Annotated[int, Field(ge=1)] = 1
    """Worker processes that `snowshed worker` runs; more than one are supervised."""
    log_format: Literal["auto", "json", "console"] = "auto"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @property
    def connection(self) -> KafkaConnection:
        """Where Kafka is and how to reach it."""
        properties = {
            name.replace("_", ".").lower(): value.get_secret_value() for name, value in sorted(self.kafka.items())
        }
        return KafkaConnection(self.bootstrap, properties)

    @property
    def topics(self) -> Topics:
        """Full topic names under this worker's prefix."""
        return Topics(self.prefix, partitions=self.partitions, replication=self.replication)

    @property
    def limits(self) -> LaneLimits:
        """Bounds on each lane."""
        return LaneLimits(
            batch=self.batch,
            buffer=4 * self.batch,
            tick=self.tick,
            transaction_timeout=self.transaction_timeout,
            checkpoint=self.checkpoint,
        )

    def environment(self) -> dict[str, str]:
        """The settings as environment variables, for a worker in a process of its own."""
        plain: dict[str, Any] = self.model_dump(exclude_none=True, exclude={"kafka"}, exclude_defaults=True)
        variables = {f"SNOWSHED_{name.upper()}": str(value) for name, value in plain.items()}
        secrets = {f"SNOWSHED_KAFKA__{name.upper()}": value.get_secret_value() for name, value in self.kafka.items()}
        return variables | secrets
