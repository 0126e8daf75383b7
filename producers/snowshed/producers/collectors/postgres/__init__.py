"""PostgreSQL: calls by statement, and how far replicas are behind."""

from snowshed.producers.collectors.postgres.target import PostgresPeriods, PostgresTarget, postgres_collectors

__all__ = ["PostgresPeriods", "PostgresTarget", "postgres_collectors"]
