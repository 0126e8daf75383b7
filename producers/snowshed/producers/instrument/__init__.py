"""Adapters that measure other libraries' calls, each in a module of its own that is imported only where it is used.

`asgi`, `asyncpg`, `httpx`, `psycopg`, `sqlalchemy` and `wsgi`; none of these libraries is needed for any other.
"""

from snowshed.producers.instrument.fingerprint import fingerprint, normalise, statement_kind
from snowshed.producers.instrument.http_status import outcome_of_status
from snowshed.producers.instrument.sqlstate import outcome_of_sqlstate

__all__ = ["fingerprint", "normalise", "outcome_of_sqlstate", "outcome_of_status", "statement_kind"]
