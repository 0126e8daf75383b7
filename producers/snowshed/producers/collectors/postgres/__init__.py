"""PostgreSQL: calls by statement, and how far replicas are behind."""

from snowshed.producers.collectors.postgres.target import PostgresPeriods, postgres_collectors

__all__ = ["PostgresPeriods", "postgres_collectors"]
