"""The WSGI telemetry middleware, called as a server calls it, checked by the standard library's own check."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest

from snowshed.producers import MemoryTransport, Node, Outcome, Telemetry
from snowshed.producers.instrument.wsgi import TelemetryMiddleware
from snowshed.schemas.errors import Rejected
from snowshed.schemas.propagation import ORIGIN, call_context
from snowshed.schemas.records import TimingBatch, Vantage

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

_App = Callable[["WSGIEnvironment", "StartResponse"], Iterable[bytes]]


class _Served:
    """An application behind the middleware, and what has been reported of it."""

    def __init__(self, app: _App) -> None:
        self.transport = MemoryTransport()
        self.telemetry = Telemetry(Node(name="orders-1", service="orders"), self.transport, window=3_600.0)
        self._app: Any = validator(TelemetryMiddleware(validator(app), self.telemetry))
        self.headers: dict[str, str] = {}
        self._written: list[bytes] = []

    def call(self, path: str, **environ: str) -> Any:
        full: dict[str, Any] = {"SCRIPT_NAME": "", "PATH_INFO": path, "QUERY_STRING": "", **environ}
        setup_testing_defaults(full)

        def start_response(_status: str, headers: list[tuple[str, str]], _exc_info: Any = None) -> Any:
            self.headers = dict(headers)
            return self._written.append

        return self._app(full, start_response)

    def read(self, path: str, **environ: str) -> bytes:
        body = self.call(path, **environ)
        try:
            return b"".join(body)
        finally:
            body.close()

    def report(self) -> TimingBatch:
        self.telemetry.stop()
        (sent,) = [sent for sent in self.transport.sent if sent.topic == "timings"]
        assert isinstance(sent.record, TimingBatch)
        return sent.record

    def counts(self) -> dict[Outcome, float]:
        batch = self.report()
        columns = {
            Outcome.OK: batch.ok,
            Outcome.LOCAL: batch.error_local,
            Outcome.DOWNSTREAM: batch.error_downstream,
            Outcome.REJECTED: batch.rejected,
            Outcome.TIMEOUT: batch.timeout,
        }
        return {outcome: sum(column) for outcome, column in columns.items() if sum(column)}


def _answering(status: str, *parts: bytes) -> _App:
    def app(_environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response(status, [("content-type", "text/plain")])
        return iter(parts)

    return app


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("200 OK", Outcome.OK),
        ("404 Not Found", Outcome.OK),
        ("429 Too Many Requests", Outcome.REJECTED),
        ("500 Internal Server Error", Outcome.LOCAL),
        ("504 Gateway Timeout", Outcome.DOWNSTREAM),
    ],
)
def test_the_status_says_how_a_request_ended(status: str, outcome: Outcome) -> None:
    served = _Served(_answering(status, b"part"))
    assert served.read("/things/17", HTTP_SNOWSHED_CALLER="web") == b"part"
    assert served.headers.get(ORIGIN) == (outcome.value if outcome in {Outcome.LOCAL, Outcome.DOWNSTREAM} else None)
    batch = served.report()
    assert (batch.callee, batch.vantage) == ("orders", Vantage.CALLEE)
    assert set(batch.strings) == {"web", "GET /things/{id}", ""}
    assert served.counts() == {outcome: 1.0}


def test_the_whole_response_is_made_in_the_context_of_its_request() -> None:
    seen: list[str] = []

    def app(_environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("content-type", "text/plain")])
        for _ in range(2):
            seen.append(f"{call_context().attempt} {call_context().root_api}")
            yield b"part"

    assert _Served(app).read("/cart", HTTP_SNOWSHED_ATTEMPT="1") == b"partpart"
    assert seen == ["1 GET /cart"] * 2
    assert call_context().root_api == ""


def test_a_failure_behind_a_service_is_not_held_against_it() -> None:
    served: list[_Served] = []

    def app(_environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        served[0].telemetry.recorder.observe("stock", "read", 0.1, outcome=Outcome.LOCAL)
        start_response("500 Internal Server Error", [("content-type", "text/plain")])
        yield b"part"

    served.append(_Served(app))
    served[0].read("/")
    assert served[0].headers[ORIGIN] == "downstream"


def test_a_stream_is_counted_when_it_begins_and_a_closed_one_once() -> None:
    served = _Served(_answering("200 OK", b"1", b"2"))
    body = served.call("/")
    assert next(iter(body)) == b"1"
    served.telemetry.recorder.flush()
    assert len(served.transport.sent) == 1
    body.close()
    assert served.counts() == {Outcome.OK: 1.0}


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (RuntimeError("bug"), Outcome.LOCAL),
        (TimeoutError(), Outcome.TIMEOUT),
        (Rejected("orders", "overloaded", retry_after=1.0), Outcome.REJECTED),
    ],
)
@pytest.mark.parametrize("later", [False, True])
def test_an_exception_in_the_application_is_counted_and_passed_on(
    error: Exception, outcome: Outcome, *, later: bool
) -> None:
    def parts() -> Iterable[bytes]:
        raise error
        yield b""

    def app(_environ: WSGIEnvironment, _start_response: StartResponse) -> Iterable[bytes]:
        if later:
            return parts()
        raise error

    served = _Served(app)
    with pytest.raises(type(error)):
        served.read("/")
    assert served.counts() == {outcome: 1.0}


def test_a_proxys_time_stamp_shows_as_queue_delay() -> None:
    served = _Served(_answering("200 OK", b"part"))
    served.read("/", HTTP_X_REQUEST_START=f"t={time.time() - 2.0}")
    assert served.report().queue_delay_max[0] == pytest.approx(2.0, abs=1.0)
