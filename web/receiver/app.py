"""Builds the receiver: settings, connections, routes and the HTTP server."""

import argparse
import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared.config import Settings, load_settings
from shared.db.engine import make_async_engine
from shared.ledger.async_ledger import AsyncLedger
from shared.ledger.publisher import open_async_publisher
from shared.log_setup import set_up_logging
from shared.spool_folder import spool_folder
from web.receiver import spool_record
from web.receiver.alert_store import AlertStore
from web.receiver.alerts import AlertRoute
from web.receiver.counters import Counters
from web.receiver.deadline import TIMEOUT_S, DatabaseDownError
from web.receiver.fast_path import FastPath
from web.receiver.hook_cache import HookCache
from web.receiver.job_requests import JobRequestRoute
from web.receiver.jobs import JobRoute
from web.receiver.openapi import OpenapiRoute
from web.receiver.problem import RETRY_AFTER_S, not_found, problem
from web.receiver.readiness import ReadyRoute, answer_live
from web.receiver.sender import AddressReader
from web.receiver.server import ReceiverProtocol
from web.receiver.spool import Spool
from web.receiver.tokens import TokenAuthenticator

_OBJECTS_UNTIL_COLLECTION = 5_000  # Python's 700 are those of a few alerts under way: it would search all the time
_ALERT_CONNECTIONS, _REQUEST_CONNECTIONS = 8, 3


def make_app(settings: Settings) -> FastPath:
    """Return the receiver as an ASGI app; it connects to the database at the first request."""
    ledger = _make_ledger(settings, _ALERT_CONNECTIONS)
    request_ledger = _make_ledger(settings, _REQUEST_CONNECTIONS)  # anyone may ask for a job: alerts keep theirs

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await cache.start()
        await tokens.start()
        alert_store.start()
        logging_counts = asyncio.create_task(counters.log_changes())
        yield
        logging_counts.cancel()
        await tokens.stop()
        await cache.stop()
        await alert_store.stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(TIMEOUT_S):
                await asyncio.gather(ledger.close(), request_ledger.close())

    cache, counters = HookCache(ledger.engine, max_quantity=settings.max_quantity), Counters()
    spool = Spool(spool_folder(settings.home), spool_record.encode, spool_record.decode)
    alert_store = AlertStore(ledger, spool, settings.entry_ttl)
    addresses = AddressReader(settings.proxy_count)
    alerts = AlertRoute(cache, alert_store, addresses, counters, receiver_url=settings.receiver_url)
    tokens = TokenAuthenticator(request_ledger, addresses)
    jobs = JobRequestRoute(request_ledger, tokens, entry_ttl=settings.entry_ttl, receiver_url=settings.receiver_url)
    app = Starlette(
        routes=[
            Route("/hooks/tv/{token}", alerts.post, methods=["POST"]),
            Route("/hooks/tv/{token}/", alerts.post, methods=["POST"]),
            Route("/hooks/v1/{hook_id}", alerts.post_signed, methods=["POST"]),
            Route("/hooks/v1/{hook_id}/", alerts.post_signed, methods=["POST"]),
            Route("/jobs/{job_id}", JobRoute(request_ledger, addresses).get, methods=["GET"]),
            Route("/v1/jobs/{job}", jobs.serve, methods=["GET", "POST"]),
            Route("/v1/openapi.json", OpenapiRoute(settings.receiver_url).get, methods=["GET"]),
            Route("/live", answer_live, methods=["GET"]),
            Route("/ready", ReadyRoute(request_ledger, alert_store, cache).get, methods=["GET"]),
        ],
        exception_handlers={
            HTTPException: _no_route,
            DatabaseDownError: _database_down,
            Exception: _our_fault,
        },
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # a redirect would carry the token in its Location
    gc.freeze()  # what every request needs is not searched for garbage, which takes longer than an alert
    gc.set_threshold(_OBJECTS_UNTIL_COLLECTION)
    return FastPath(app, alerts.post, database_down=_database_down, our_fault=_our_fault)


def _make_ledger(settings: Settings, pool_size: int) -> AsyncLedger:
    engine = make_async_engine(
        settings.require_database(),
        program="receiver",
        pool_size=pool_size,
        statement_timeout_s=TIMEOUT_S,
        idle_in_transaction_timeout_s=2 * TIMEOUT_S,  # another receiver may wait for the key of an alert
    )
    return AsyncLedger(engine, open_async_publisher(settings.require_broker()))


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="web.receiver", description="Accepts alerts by webhook.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    options = parser.parse_args(arguments)
    settings = load_settings()
    set_up_logging(settings.log_level, settings.log_format)
    config = uvicorn.Config(
        make_app(settings),
        host=options.host,
        port=options.port,
        http=ReceiverProtocol,
        log_config=None,
        log_level="error",  # a warning for every malformed request would fill the log
        access_log=False,  # it would log the tokens
        server_header=False,
        proxy_headers=False,
        ws="none",
        timeout_graceful_shutdown=10,
    )
    logging.getLogger("receiver").info("accepts alerts on http://%s:%d", options.host, options.port)
    uvicorn.Server(config).run()


async def _no_route(_: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException) and error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return problem(
            HTTPStatus.METHOD_NOT_ALLOWED,
            "this URL does not support this method",
            hint="send an alert with POST, read a job with GET",
            headers=error.headers,
        )
    return not_found()


async def _database_down(_: Request, error: Exception) -> Response:
    return problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        str(error),
        hint=f"send the same request again in {RETRY_AFTER_S} s",
        headers={"Retry-After": str(RETRY_AFTER_S)},
    )


async def _our_fault(_: Request, __: Exception) -> Response:
    return problem(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "the receiver failed",
        hint="send the same request again; the reason is in the receiver's log",
    )
