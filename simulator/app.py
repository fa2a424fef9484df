"""Puts the simulator together: state, endpoints, and the task that keeps the matching going."""

import asyncio
import contextlib
import itertools
import logging
import signal
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

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
_STEP = 0.025  # seconds of machine time between two looks at the market
_LOOKS_BETWEEN_MISFORTUNES = 40  # so the faults of a connection are met about once a second

ENDPOINTS = (
    Endpoint("/api/Account/search", request_bodies.AccountSearchBody, accounts.search),
    Endpoint("/api/Contract/search", request_bodies.ContractSearchBody, contracts.search),
    Endpoint("/api/Contract/searchById", request_bodies.ContractByIdBody, contracts.search_by_id),
    Endpoint("/api/Contract/available", request_bodies.ContractsAvailableBody, contracts.available),
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
    manners: HubTiming | None = None,
) -> tuple[Starlette, Hubs]:
    """Return the ASGI application of the venue, and its hubs; the pipeline still needs to learn to cut a connection."""
    faults = pipeline.faults
    venue.suffer(faults.meet)
    described = wire.encoded(openapi.document_of(LOGINS | {endpoint.path: endpoint.body for endpoint in ENDPOINTS}))
    prices = MarketHub(venue, prints_per_minute)
    hubs = Hubs([UserHub(venue, logins.owner, faults), prices], pipeline, logins, faults, manners or HubTiming())
    routes = [
        Route("/api/Status/ping", pipeline.passing(_pong), methods=["GET"]),
        Route("/api/Auth/loginKey", pipeline.passing(pipeline.log_in), methods=["POST"]),
        Route("/api/Auth/loginApp", pipeline.passing(pipeline.log_in_by_app), methods=["POST"]),
        Route("/api/Auth/validate", pipeline.passing(pipeline.validate), methods=["POST"]),
        Route("/api/Auth/logout", pipeline.passing(pipeline.log_out), methods=["POST"]),
        *(Route(endpoint.path, pipeline.serving(endpoint), methods=["POST"]) for endpoint in ENDPOINTS),
        *hubs.routes,
        Route(openapi.PATH, lambda _: Response(described, media_type="application/json")),
    ]

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        matching = asyncio.create_task(_keep_going(venue, prices, hubs))
        matching.add_done_callback(_stop_if_failed)
        yield
        matching.cancel()

    return Starlette(routes=routes, lifespan=lifespan), hubs


def _pong(_: Request, __: bytes) -> Response:
    return Response(b'"pong"', media_type="application/json; charset=utf-8")


async def _keep_going(venue: Venue, prices: MarketHub, hubs: Hubs) -> None:
    """Fill what is due and tell what happens soon after it does, also when nobody asks."""
    for look in itertools.count(1):
        prices.tell(venue.now())
        if look % _LOOKS_BETWEEN_MISFORTUNES == 0:
            hubs.suffer()
        await asyncio.sleep(_STEP)


def _stop_if_failed(matching: "asyncio.Task[None]") -> None:
    """End the program: a venue that no longer fills stops must not look alive; its journal makes it whole again."""
    if not matching.cancelled() and (error := matching.exception()):
        _log.critical("matching failed, the simulator stops", exc_info=error)
        signal.raise_signal(signal.SIGTERM)
