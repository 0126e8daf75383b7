"""What a database's error says about its load.

Codes are those of the SQL standard as PostgreSQL documents them in its appendix "PostgreSQL Error Codes".
"""

from __future__ import annotations

from snowshed.consumers.permit import Permit

__all__ = ["settle_error"]

_OVERLOADED = frozenset(
    {
        "53300",  # too_many_connections
        "53400",  # configuration_limit_exceeded
        "55P03",  # lock_not_available: lock_timeout
        "57014",  # query_canceled: statement_timeout, or given up by its caller
        "25P03",  # idle_in_transaction_session_timeout
        "57P03",  # cannot_connect_now
    }
)
_ROLLED_BACK = "40"  # a deadlock or a conflict of two transactions: nobody is unwell
_FAILING_CLASSES = frozenset({"08", "53", "54", "55", "57", "58", "F0", "XX"})
_POOL_GAVE_UP = frozenset({"PoolTimeout", "TooManyRequests"})


def settle_error(permit: Permit, error: BaseException) -> None:
    """Ends a permit by a driver's error; a constraint that held or a wrong statement is an answer.

    Errors that are none of a database's are left to the permit itself.
    """
    if type(error).__name__ in _POOL_GAVE_UP:
        permit.dropped()
    code = getattr(error, "sqlstate", None)
    if not isinstance(code, str) or not code:
        return
    if code in _OVERLOADED:
        permit.dropped()
    elif code[:2] == _ROLLED_BACK:
        permit.ignored()
    elif code[:2] in _FAILING_CLASSES:
        permit.failed()
    else:
        permit.succeeded()
