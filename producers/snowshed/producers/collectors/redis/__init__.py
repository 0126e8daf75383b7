"""Redis: how far replicas are behind, and whether they are linked to their source."""

from snowshed.producers.collectors.redis.collectors import redis_collectors

__all__ = ["redis_collectors"]
