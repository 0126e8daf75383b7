"""Which Kafka cluster's quorum to watch."""

from __future__ import annotations

from dataclasses import dataclass

from snowshed.producers.collectors.servers import checked_name, distinct_places, named_places
from snowshed.schemas.errors import ConfigurationError

__all__ = ["KRaftTarget"]


@dataclass(frozen=True, slots=True)
class KRaftTarget:
    """A Kafka cluster in KRaft mode, reached as securely as the one that the agent reports to.

    Args:
        dataset: its name in Snowshed.
        servers: brokers, which pass the question on to the quorum's leader, or controllers, as `host:port`.

    Raises:
        ConfigurationError: a name or an address has another form, or a server stands twice.
    """

    dataset: str
    servers: tuple[str, ...]

    def __post_init__(self) -> None:
        checked_name(self.dataset)
        if not distinct_places(self.servers):
            raise ConfigurationError(
                f"kafka quorum {self.dataset}: name each broker once as host:port, as in kafka=k1:9092,k2:9092,k3:9092"
            )

    @classmethod
    def parse(cls, text: str) -> KRaftTarget:
        """The cluster in `dataset=host:port,host:port,…`."""
        return cls(*named_places(text))
