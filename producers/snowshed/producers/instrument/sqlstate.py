"""What a database's error says about the database itself.

Codes are those of the SQL standard as PostgreSQL documents them in its appendix "PostgreSQL Error Codes".
"""

from __future__ import annotations

from snowshed.producers.outcome import Outcome

__all__ = ["outcome_of_sqlstate"]

_CODES = {
    "57014": Outcome.TIMEOUT,  # query_canceled: statement_timeout, or given up by its caller
    "55P03": Outcome.TIMEOUT,  # lock_not_available: lock_timeout
    "25P03": Outcome.TIMEOUT,  # idle_in_transaction_session_timeout
    "53300": Outcome.REJECTED,  # too_many_connections
    "53400": Outcome.REJECTED,  # configuration_limit_exceeded
}
_FAILING_CLASSES = frozenset({"08", "40", "53", "54", "55", "57", "58", "F0", "XX"})


def outcome_of_sqlstate(code: str) -> Outcome:
    """How the call ended for the database: a constraint that held or a wrong statement is an answer, thus OK."""
    known = _CODES.get(code)
    if known is not None:
        return known
    return Outcome.LOCAL if not code or code[:2] in _FAILING_CLASSES else Outcome.OK
