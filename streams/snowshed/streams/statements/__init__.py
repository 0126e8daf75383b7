"""Statements of databases by fingerprint: what each costs, and which have changed.

A fingerprint says nothing of a plan. A changed plan shows only as one statement's latency that rises while those of the
others on the same database stay; so does a table that grew, a lock, or a cache that lost the statement's pages.
"""

from snowshed.streams.statements.book import Book, collected, is_due, judged
from snowshed.streams.statements.known import Change, ChangeKind, Known
from snowshed.streams.statements.report import changed_during, health, told
from snowshed.streams.statements.tally import StatementRows, StatementTally, tallied

__all__ = [
    "Book",
    "Change",
    "ChangeKind",
    "Known",
    "StatementRows",
    "StatementTally",
    "changed_during",
    "collected",
    "health",
    "is_due",
    "judged",
    "tallied",
    "told",
]
