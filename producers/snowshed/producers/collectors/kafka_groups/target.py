"""Which consumer group to watch on which topics."""

from __future__ import annotations

from dataclasses import dataclass

from snowshed.producers.collectors.servers import checked_name
from snowshed.schemas.errors import ConfigurationError

__all__ = ["GroupTarget"]


@dataclass(frozen=True, slots=True)
class GroupTarget:
    """A consumer group of the cluster that the agent reports to.

    Args:
        dataset: name of what the group reads.
        group: the consumer group.
        topics: what it is to have read.

    Raises:
        ConfigurationError: a name has another form, or there is no topic.
    """

    dataset: str
    group: str
    topics: tuple[str, ...]

    def __post_init__(self) -> None:
        checked_name(self.dataset)
        if not (self.group and self.topics):
            raise ConfigurationError(
                f"dataset {self.dataset}: name a consumer group and its topics, as in orders=billing:orders,payments"
            )

    @classmethod
    def parse(cls, text: str) -> GroupTarget:
        """The group in `dataset=group:topic,topic,…`."""
        dataset, _, rest = text.strip().partition("=")
        group, _, topics = rest.rpartition(":")
        return cls(dataset, group, tuple(part.strip() for part in topics.split(",") if part.strip()))
