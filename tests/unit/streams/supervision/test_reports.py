"""What a worker tells its supervisor, and that telling it harms nobody."""

from __future__ import annotations

import os

import pytest

from snowshed.streams.hosting import Membership
from snowshed.streams.supervision.reports import Misconfigured, Report, Reporter, decode, encode

MEMBER = Membership("fleet", "consumer", "K/76nu8qTIqOtqnLPfepWA")


@pytest.mark.parametrize("report", [MEMBER, Membership("fleet", "classic", ""), Misconfigured("two\nlines, ünïcode")])
def test_a_report_is_one_line_that_reads_as_it_was_told(report: Report) -> None:
    line = encode(report)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert decode(line) == report


def test_it_is_told_through_the_pipe_that_children_of_the_worker_do_not_inherit() -> None:
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    try:
        reporter = Reporter(writing)
        assert not os.get_inheritable(writing)
        reporter.tell(MEMBER)
        assert decode(os.read(reading, 1_000)) == MEMBER
        os.close(reading)
        reporter.tell(MEMBER)  # nobody hears it
    finally:
        os.close(writing)
