import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowshed.schemas.propagation import (
    ATTEMPT,
    COHORT,
    CRITICALITY,
    DEADLINE,
    CallContext,
    Criticality,
    attempt,
    call_context,
    emit,
    parse,
    parse_environ,
    parse_raw,
    use_context,
)

_NAMES = st.text(string.ascii_letters + string.digits + "/-_. ", max_size=50)
_CONTEXTS = st.builds(
    CallContext,
    caller=_NAMES,
    root_api=_NAMES,
    criticality=st.sampled_from(Criticality),
    cohort=st.integers(0, 127),
    attempt=st.integers(0, 1_000),
    deadline=st.none() | st.floats(100, 10_000),
)


@given(_CONTEXTS, _NAMES)
def test_a_callee_reads_what_its_caller_was_working_for(context: CallContext, caller: str) -> None:
    read = parse(emit(context, caller=caller, now=100.0), now=200.0)
    assert read.caller == caller
    assert (read.root_api, read.criticality) == (context.root_api, context.criticality)
    assert (read.cohort, read.attempt) == (context.cohort, context.attempt)
    if context.deadline is None:
        assert read.deadline is None
    else:
        assert read.deadline == pytest.approx(context.deadline + 100.0, abs=0.001)


@given(st.dictionaries(st.sampled_from([ATTEMPT, COHORT, CRITICALITY, DEADLINE]), st.text(max_size=30)))
def test_damaged_headers_never_raise_and_stay_in_range(headers: dict[str, str]) -> None:
    context = parse(headers, now=0.0)
    assert 0 <= context.cohort <= 127
    assert 0 <= context.attempt <= 1_000
    assert context.deadline is None or 0 <= context.deadline <= 86_400


@pytest.mark.parametrize("name", ["x" * 201, "line\nbreak", "nul\0", "snöwshed"])
def test_a_name_that_could_do_harm_in_a_report_is_left_out(name: str) -> None:
    assert parse({"snowshed-caller": name}, now=0.0).caller == ""


def test_raw_headers_are_read_whatever_their_case() -> None:
    raw = [(b"Host", b"shop"), (b"Snowshed-Attempt", b"2"), (b"snowshed-caller", b"web")]
    assert parse_raw(raw, now=0.0) == CallContext(caller="web", attempt=2)


def test_the_headers_of_a_wsgi_request_are_read_from_its_environment() -> None:
    environ = {"HTTP_SNOWSHED_ROOT_API": "buy", "HTTP_SNOWSHED_ATTEMPT": "2", "HTTP_HOST": "shop", "wsgi.input": None}
    assert parse_environ(environ, now=0.0) == CallContext(root_api="buy", attempt=2)
    assert parse_environ({"HTTP_HOST": "shop"}, now=0.0) == CallContext()


def test_without_headers_of_ours_the_context_is_the_default() -> None:
    assert parse_raw([(b"host", b"shop")], now=0.0) == CallContext()


def test_a_retry_of_a_retry_is_counted_on_top() -> None:
    with use_context(CallContext(attempt=1)), attempt(2) as marked:
        assert marked.attempt == call_context().attempt == 3
    assert call_context().attempt == 0


def test_a_first_attempt_on_behalf_of_a_retry_is_no_original_demand() -> None:
    with use_context(CallContext(attempt=1)), attempt(0) as marked:
        assert marked.attempt == 1


def test_the_remaining_time_is_never_negative() -> None:
    assert CallContext(deadline=10.0).remaining(12.0) == 0.0
    assert emit(CallContext(deadline=10.0), caller="shop", now=12.0)[DEADLINE] == "0"
