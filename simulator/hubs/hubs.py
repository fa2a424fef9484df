"""Both hubs as a client finds them: negotiating, connecting, staying, and being thrown out."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from shared.clock import monotonic
from simulator import wire
from simulator.faults import Faults
from simulator.hubs import protocol
from simulator.hubs.connection import Connection, HubTiming
from simulator.hubs.topics import HubServer
from simulator.logins import Logins
from simulator.pipeline import Pipeline

_TRANSPORTS = [{"transport": "WebSockets", "transferFormats": ["Text", "Binary"]}]
_LOGGED_OUT = protocol.invocation("GatewayLogout")


class Hubs:
    """Lets clients in, keeps who is there, and lets them suffer `hub_drop`, `hub_gap` and `logout`."""

    def __init__(
        self, hubs: list[HubServer], pipeline: Pipeline, logins: Logins, faults: Faults, manners: HubTiming
    ) -> None:
        self._pipeline = pipeline
        self._logins = logins
        self._faults = faults
        self._manners = manners
        self._connections: dict[Connection, HubServer] = {}
        self._closed_until = monotonic()
        self.routes: list[BaseRoute] = [
            route
            for hub in hubs
            for route in (
                Route(f"/hubs/{hub.name}/negotiate", pipeline.passing(self._negotiate), methods=["POST"]),
                WebSocketRoute(f"/hubs/{hub.name}", self._connecting(hub)),
            )
        ]

    def suffer(self) -> None:
        """Let each client, those longest there first, meet the faults that befall a connection.

        `hub_drop` cuts it, `logout` tells it so and closes it, `hub_gap` cuts all and lets nobody in for its `seconds`.
        """
        for connection in list(self._connections):
            if gap := self._faults.meet("hub_gap"):
                self._closed_until = monotonic() + gap.seconds
                for each in list(self._connections):
                    each.drop()
                return
            if self._faults.meet("hub_drop"):
                connection.drop()
            elif self._faults.meet("logout"):
                connection.send(_LOGGED_OUT)
                connection.end(protocol.LOGGED_OUT)

    async def say_goodbye(self) -> None:
        """Tell every client that the venue stops, and wait until they have gone."""
        leaving = list(self._connections)
        for connection in leaving:
            connection.end(protocol.GOODBYE)
        await asyncio.gather(*(connection.ended() for connection in leaving))

    def _negotiate(self, request: Request, _: bytes) -> Response:
        if self._is_closed():
            return Response(status_code=503)
        if self._user_of(request) is None:
            return Response(status_code=401)
        version = 1 if request.query_params.get("negotiateVersion", "0") != "0" else 0
        answer: dict[str, Any] = {"negotiateVersion": version, "connectionId": secrets.token_urlsafe(16)}
        if version:
            answer["connectionToken"] = secrets.token_urlsafe(16)
        return Response(wire.encoded({**answer, "availableTransports": _TRANSPORTS}), media_type="application/json")

    def _connecting(self, hub: HubServer) -> Callable[[WebSocket], Awaitable[None]]:
        """Return what serves a hub's socket. [SIM] The `id` of a negotiation is not looked at."""

        async def connect(socket: WebSocket) -> None:
            user = self._user_of(socket)
            if user is None or self._is_closed():
                await socket.send_denial_response(Response(status_code=503 if self._is_closed() else 401))
                return
            connection = Connection(socket, user, self._manners, self._pipeline.cut)
            self._connections[connection] = hub
            try:
                await connection.serve(hub.invoke)
            finally:
                del self._connections[connection]
                hub.forget(connection)

        return connect

    def _user_of(self, connection: HTTPConnection) -> str | None:
        token = connection.query_params.get("access_token")
        return self._logins.user_of(f"Bearer {token}" if token else connection.headers.get("authorization", ""))

    def _is_closed(self) -> bool:
        return monotonic() < self._closed_until
