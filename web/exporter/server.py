"""The HTTP server of the exporter: /metrics for Prometheus, /live for the supervisor, by known host names only."""

import logging
from collections.abc import Callable, Collection, Iterable
from http import HTTPStatus
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.registry import Collector

from shared.db.engine import DATABASE_ERRORS
from shared.errors import TickworkError
from shared.log import mask_secrets

log = logging.getLogger(__name__)

_THIS_COMPUTER = ("localhost", "127.0.0.1", "[::1]")
_PLAIN = [("Content-Type", "text/plain; charset=utf-8")]

StartResponse = Callable[[str, list[tuple[str, str]]], Any]
Application = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


class MetricsServer(ThreadingMixIn, WSGIServer):
    """A thread for each request, so that a slow one does not keep the next from being answered."""

    daemon_threads = True


class _Handler(WSGIRequestHandler):
    timeout = 10  # s for a client that sends or takes nothing

    def log_message(self, format: str, *values: object) -> None:  # noqa: A002  # the signature of http.server
        """Log no request: Prometheus asks every few seconds."""


def make_application(collector: Collector, names: Collection[str]) -> Application:
    """Return the WSGI application; it answers requests to this computer's names and to `names`.

    A page of another site, whose name leads to this computer, could otherwise read the figures: DNS rebinding. A scrape
    is answered whole or with 503.
    """
    known = {*_THIS_COMPUTER, *(name.lower() for name in names)}
    registry = CollectorRegistry()
    registry.register(collector)
    metrics: Application = make_wsgi_app(registry)

    def answer(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        def say(status: HTTPStatus, what: str) -> Iterable[bytes]:
            start_response(f"{status.value} {status.phrase}", list(_PLAIN))  # wsgiref adds to it
            return [f"{what}\n".encode()]

        if _host_of(environ) not in known:
            return say(HTTPStatus.FORBIDDEN, "unknown host name: ask for localhost, or start with --allow-host NAME")
        if environ["PATH_INFO"] == "/live":
            return say(HTTPStatus.OK, "live")
        if environ["PATH_INFO"] != "/metrics":
            return say(HTTPStatus.NOT_FOUND, "the metrics are at /metrics")
        try:
            return metrics(environ | {"QUERY_STRING": ""}, start_response)
        except (*DATABASE_ERRORS, TickworkError) as error:
            log.warning("a scrape failed: %s", error)
            return say(HTTPStatus.SERVICE_UNAVAILABLE, mask_secrets(str(error).partition("\n")[0]))

    return answer


def bind(host: str, port: int, application: Application) -> MetricsServer:
    """Return a server that listens; raise OSError if the port is taken."""
    return make_server(host, port, application, MetricsServer, _Handler)


def _host_of(environ: dict[str, Any]) -> str:
    """Return the name that the client asked for, without its port."""
    host: str = environ.get("HTTP_HOST", "").lower()
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host
