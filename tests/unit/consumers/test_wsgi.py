"""The WSGI middleware behind a real server of the standard library, between two checks of the protocol."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from io import StringIO
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import httpx
import pytest

from snowshed.consumers import Brake, Guard, Outcome
from snowshed.consumers.integrations.wsgi import GuardMiddleware
from snowshed.consumers.testing import decision, in_memory_view
from snowshed.schemas.propagation import call_context
from snowshed.schemas.records import DecisionKind

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the standard library's name
        """Nothing to say."""

    def get_stderr(self) -> Any:
        return StringIO()


class _Parts:
    """A response that tells whether it has been closed."""

    def __init__(self, parts: Iterable[bytes]) -> None:
        self._parts = iter(parts)
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        return self._parts

    def close(self) -> None:
        self.closed += 1


def _app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answers with the status in the path, and streams what it knows of the call."""
    name = environ["PATH_INFO"].strip("/")
    if name == "crash":
        raise RuntimeError(name)
    start_response(f"{name if name.isdigit() else 200} said", [("content-type", "text/plain"), ("x-app", "1")])
    return _Parts(_stream(name))


def _stream(name: str) -> Iterator[bytes]:
    yield b"attempt "
    if name == "breaks":
        raise RuntimeError(name)
    yield str(call_context().attempt).encode()


@contextmanager
def _client(guard: Guard) -> Generator[httpx.Client]:
    checked: Any = validator(GuardMiddleware(validator(_app), guard))
    with make_server("127.0.0.1", 0, checked, _Server, _Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{server.server_port}") as client:
                yield client
        finally:
            server.shutdown()
            thread.join()


def _guard(kind: DecisionKind, **fields: Any) -> Guard:
    return Guard("orders", view=in_memory_view(decision("orders", kind, decision_id="d1", **fields)), rng=lambda: 0.5)


def test_admitted_requests_reach_the_application_with_their_context() -> None:
    guard = _guard(DecisionKind.DEGRADE, degrade_level=1)
    with _client(guard) as client:
        response = client.get("/", headers={"Snowshed-Attempt": "1"})
    assert (response.status_code, response.text) == (200, "attempt 1")
    assert response.headers["snowshed-degrade-level"] == "1"
    assert response.headers["x-app"] == "1"
    assert guard.stats.outcomes == {Outcome.SUCCEEDED: 1}


def test_a_refused_request_gets_429_with_retry_after_and_the_decision() -> None:
    with _client(_guard(DecisionKind.BREAKER, p_reject=1.0)) as client:
        response = client.get("/")
    assert (response.status_code, response.headers["retry-after"]) == (429, "1")
    assert response.json() == {
        "error": "rejected",
        "scope": "orders",
        "reason": "the breaker refuses 100% of calls",
        "retry_after": 1.0,
        "decision_id": "d1",
    }


def test_a_degraded_class_gets_503() -> None:
    with _client(_guard(DecisionKind.DEGRADE, degrade_level=3)) as client:
        refused = client.get("/", headers={"snowshed-criticality": "3"})
        admitted = client.get("/", headers={"snowshed-criticality": "0"})
    assert (refused.status_code, admitted.status_code) == (503, 200)
    assert refused.headers["snowshed-degrade-level"] == "3"


def test_a_request_past_its_deadline_is_refused_and_a_damaged_one_is_none() -> None:
    guard = Guard("orders")
    with _client(guard) as client:
        statuses = [
            client.get("/", headers={"snowshed-deadline": left}).status_code for left in ("0", "9" * 400, "-1", "nan")
        ]
    assert statuses == [429, 200, 200, 200]
    assert guard.stats.rejected == {Brake.DEADLINE: 1}


def test_health_checks_are_never_refused() -> None:
    with _client(_guard(DecisionKind.BREAKER, p_reject=1.0)) as client:
        statuses = [client.get(path).status_code for path in ("/health", "/health/db", "/healthy")]
    assert statuses == [200, 200, 429]


@pytest.mark.parametrize(
    ("path", "outcome"),
    [
        ("/200", Outcome.SUCCEEDED),
        ("/404", Outcome.SUCCEEDED),
        ("/500", Outcome.IGNORED),
        ("/503", Outcome.DROPPED),
        ("/crash", Outcome.IGNORED),
    ],
)
def test_the_status_decides_the_outcome(path: str, outcome: Outcome) -> None:
    guard = Guard("orders")
    with _client(guard) as client:
        client.get(path)
    assert guard.stats.outcomes == {outcome: 1}
    assert guard.stats.in_flight == 0


def _called(guard: Guard, path: str, app: Callable[..., Iterable[bytes]] = _app, **given: str) -> Any:
    environ: dict[str, Any] = {"PATH_INFO": path, **given}
    setup_testing_defaults(environ)

    def start_response(_status: str, _headers: Any, _exc_info: Any = None) -> Any:
        return None

    return GuardMiddleware(app, guard)(environ, start_response)


def test_a_refusal_of_a_head_request_has_no_body() -> None:
    assert list(_called(_guard(DecisionKind.BREAKER, p_reject=1.0), "/", REQUEST_METHOD="HEAD")) == []


def test_a_request_counts_until_its_response_has_been_read() -> None:
    guard = Guard("orders")
    body = _called(guard, "/")
    assert next(body) == b"attempt "
    assert guard.stats.in_flight == 1
    assert list(body) == [b"0"]
    body.close()
    assert guard.stats.outcomes == {Outcome.SUCCEEDED: 1}


@pytest.mark.parametrize(("path", "outcome"), [("/200", Outcome.SUCCEEDED), ("/503", Outcome.DROPPED)])
def test_a_response_that_nobody_reads_ends_when_it_is_closed(path: str, outcome: Outcome) -> None:
    guard = Guard("orders")
    _called(guard, path).close()
    assert guard.stats.outcomes == {outcome: 1}


def test_a_client_that_goes_away_says_nothing_of_load_and_the_application_hears_of_it() -> None:
    guard, parts = Guard("orders"), _Parts([b"one", b"two"])

    def app(_environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return parts

    body = _called(guard, "/", app)
    assert next(body) == b"one"
    body.close()
    assert parts.closed == 1
    assert guard.stats.outcomes == {Outcome.IGNORED: 1}


def test_a_response_that_breaks_off_releases_its_permit() -> None:
    guard = Guard("orders")
    body = _called(guard, "/breaks")
    with pytest.raises(RuntimeError, match="breaks"):
        list(body)
    assert guard.stats.outcomes == {Outcome.IGNORED: 1}
    assert call_context().attempt == 0


def test_a_response_whose_close_fails_releases_its_permit() -> None:
    guard = Guard("orders")

    class Failing(_Parts):
        def close(self) -> None:
            raise ZeroDivisionError

    def app(_environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return Failing([])

    body = _called(guard, "/", app)
    with pytest.raises(ZeroDivisionError):
        body.close()
    assert guard.stats.in_flight == 0
