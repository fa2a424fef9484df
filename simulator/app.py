"""The ASGI application of the venue: endpoints, hubs, and the task that advances the market."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared.clock import monotonic
from simulator import openapi, request_bodies, wire
from simulator.endpoints import accounts, bars, contracts, orders, positions
from simulator.hubs.connection import HubTiming
from simulator.hubs.hubs import Hubs
from simulator.hubs.market import MarketHub
from simulator.hubs.user import UserHub
from simulator.logins import Logins
from simulator.market.tape import PRINTS_A_MINUTE
from simulator.pipeline import Endpoint, Pipeline
from simulator.venue.venue import Venue

_log = logging.getLogger("simulator")
_ADVANCE_INTERVAL = 0.025  # seconds of machine time between two advances of the market
_QUIET_INTERVAL = 0.25  # seconds between two while the market is silent, as when it is closed
_FAULT_DRAW_INTERVAL = 1.0  # seconds of machine time between two draws of connection faults

ENDPOINTS = (
    Endpoint("/api/Account/search", request_bodies.AccountSearchBody, accounts.search),
    Endpoint("/api/Contract/search", request_bodies.ContractSearchBody, contracts.search),
    Endpoint("/api/Contract/searchById", request_bodies.ContractByIdBody, contracts.search_by_id),
    Endpoint("/api/Contract/available", request_bodies.ContractsAvailableBody, contracts.list_available),
    Endpoint("/api/History/retrieveBars", request_bodies.RetrieveBarsBody, bars.retrieve),
    Endpoint("/api/Order/place", request_bodies.PlaceOrderBody, orders.place),
    Endpoint("/api/Order/cancel", request_bodies.OrderByIdBody, orders.cancel),
    Endpoint("/api/Order/modify", request_bodies.ModifyOrderBody, orders.modify),
    Endpoint("/api/Order/search", request_bodies.OrderSearchBody, orders.search),
    Endpoint("/api/Order/searchOpen", request_bodies.AccountBody, orders.search_open),
    Endpoint("/api/Order/searchById", request_bodies.OrderByIdBody, orders.search_by_id),
    Endpoint("/api/Order/v2/query", request_bodies.OrderQueryBody, orders.query),
    Endpoint("/api/Position/searchOpen", request_bodies.AccountBody, positions.search_open),
    Endpoint("/api/Position/closeContract", request_bodies.ClosePositionBody, positions.close),
    Endpoint("/api/Position/partialCloseContract", request_bodies.PartialCloseBody, positions.close_part),
    Endpoint("/api/Trade/search", request_bodies.TradeSearchBody, positions.search_trades),
)

LOGINS: dict[str, type[request_bodies.RequestBody] | None] = {
    "/api/Auth/loginKey": request_bodies.LoginKeyBody,
    "/api/Auth/loginApp": request_bodies.LoginAppBody,
    "/api/Auth/validate": None,
    "/api/Auth/logout": None,
}


def make_app(
    venue: Venue,
    logins: Logins,
    pipeline: Pipeline,
    *,
    prints_per_minute: int = PRINTS_A_MINUTE,
    timing: HubTiming | None = None,
) -> tuple[Starlette, Hubs]:
    """Return the ASGI application of the venue, and its hubs. The caller still sets `pipeline.cut`."""
    faults = pipeline.faults
    venue.draw_fill_faults_from(faults.draw)
    document = wire.encode(openapi.make_document(LOGINS | {endpoint.path: endpoint.body for endpoint in ENDPOINTS}))
    market_hub = MarketHub(venue, prints_per_minute, faults)
    hubs = Hubs([UserHub(venue, logins.owner, faults), market_hub], pipeline, logins, faults, timing or HubTiming())
    routes = [
        Route("/api/Status/ping", pipeline.make_handler(_pong), methods=["GET"]),
        Route("/api/Auth/loginKey", pipeline.make_handler(pipeline.log_in), methods=["POST"]),
        Route("/api/Auth/loginApp", pipeline.make_handler(pipeline.log_in_by_app), methods=["POST"]),
        Route("/api/Auth/validate", pipeline.make_handler(pipeline.validate), methods=["POST"]),
        Route("/api/Auth/logout", pipeline.make_handler(pipeline.log_out), methods=["POST"]),
        *(Route(endpoint.path, pipeline.make_endpoint_handler(endpoint), methods=["POST"]) for endpoint in ENDPOINTS),
        *hubs.routes,
        Route(openapi.PATH, lambda _: Response(document, media_type="application/json")),
    ]

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        advancing = asyncio.create_task(_advance_forever(venue, market_hub, hubs))
        advancing.add_done_callback(_stop_if_failed)
        yield
        advancing.cancel()

    return Starlette(routes=routes, lifespan=lifespan), hubs


def _pong(_: Request, __: bytes) -> Response:
    return Response(b'"pong"', media_type="application/json; charset=utf-8")


async def _advance_forever(venue: Venue, market_hub: MarketHub, hubs: Hubs) -> None:
    """Fill due orders and publish market data soon after they are due, also while no request comes."""
    drawn_at = monotonic()
    while True:
        await venue.catch_up()
        await market_hub.publish(venue.now())
        now = monotonic()
        if now - drawn_at >= _FAULT_DRAW_INTERVAL:
            drawn_at = now
            hubs.apply_connection_faults()
            market_hub.apply_quote_fault()
        await asyncio.sleep(_ADVANCE_INTERVAL)
        if market_hub.is_silent:
            await market_hub.wait_for_subscriber(_QUIET_INTERVAL)


def _stop_if_failed(advancing: "asyncio.Task[None]") -> None:
    """End the program: a venue that no longer fills stops, or sends no market data, must not appear healthy.

    Hub clients get a close record that allows a reconnect. A restart replays the journal.
    """
    if not advancing.cancelled() and (error := advancing.exception()):
        _log.critical("the market cannot be advanced: the simulator stops", exc_info=error)
        signal.raise_signal(signal.SIGTERM)
