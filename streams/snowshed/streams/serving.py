"""The worker's HTTP server: the live page, its API, health and metrics."""

from __future__ import annotations

from collections.abc import Callable

import mode
import structlog
from aiohttp import web

from snowshed.schemas.codec import Codec
from snowshed.schemas.errors import ConfigurationError
from snowshed.streams.cascade.explain import explain
from snowshed.streams.metrics import Metrics
from snowshed.streams.order_log import send_order
from snowshed.streams.settings import WorkerSettings
from snowshed.streams.web import FollowedWorld, Send, mount

__all__ = ["PageServer"]

log = structlog.get_logger()

_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class PageServer(mode.Service):
    """Serves the page on the worker's loop; replaces Faust's own web pages, which show table data to anyone.

    Args:
        settings: address and where Kafka is.
        metrics: served under `/metrics`.
        ready: whether the worker takes part in the work, for `/readyz`.
    """

    def __init__(self, settings: WorkerSettings, metrics: Metrics, ready: Callable[[], bool]) -> None:
        super().__init__()
        self._settings, self._metrics, self._ready = settings, metrics, ready
        self._world = FollowedWorld(settings.connection, settings.topics)
        self._runner: web.AppRunner | None = None

    async def on_start(self) -> None:
        """Follow the world and listen.

        Raises:
            ConfigurationError: the address is taken.
        """
        settings = self._settings
        app = web.Application()
        mount(app, self._world, ready=self._ready, explain=explain, orders=self._orders())
        app.router.add_get("/metrics", self._exposition)
        self._world.start()
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, settings.web_host, settings.web_port).start()
        except OSError as error:
            raise ConfigurationError(
                f"cannot listen on {settings.web_host}:{settings.web_port}: {error.strerror}; "
                "set SNOWSHED_WEB_PORT to another port, 0 for any free one"
            ) from error
        log.info("page_listening", url=self.url)

    async def on_stop(self) -> None:
        """Stop listening and following."""
        if self._runner is not None:
            await self._runner.cleanup()
        self._world.stop()

    @property
    def url(self) -> str:
        """The page's address."""
        addresses = self._runner.addresses if self._runner is not None else []
        host, port = addresses[0][:2] if addresses else (self._settings.web_host, self._settings.web_port)
        return f"http://{host}:{port}/"

    def _orders(self) -> Send | None:
        settings = self._settings
        if not settings.web_orders:
            return None
        codec = Codec.from_settings(settings.registry_url)
        return lambda order: send_order(settings.connection, settings.topics, order, codec)

    async def _exposition(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._metrics.exposition(), headers={"Content-Type": _METRICS_TYPE})
