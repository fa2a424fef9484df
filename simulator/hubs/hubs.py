"""The routes of both hubs: negotiation, connections, connection faults and shutdown."""

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
_LOGGED_OUT = protocol.encode_invocation("GatewayLogout")


class Hubs:
    """Accepts clients, keeps their connections, and applies the faults `hub_drop`, `hub_error`, `hub_gap`, `logout`."""

    def __init__(
        self, hubs: list[HubServer], pipeline: Pipeline, logins: Logins, faults: Faults, timing: HubTiming
    ) -> None:
        self._pipeline = pipeline
        self._logins = logins
        self._faults = faults
        self._timing = timing
        self._connections: dict[Connection, HubServer] = {}
        self._closed_until = monotonic()
        self.routes: list[BaseRoute] = [
            route
            for hub in hubs
            for route in (
                Route(f"/hubs/{hub.name}/negotiate", pipeline.make_handler(self._negotiate), methods=["POST"]),
                WebSocketRoute(f"/hubs/{hub.name}", self._make_socket_handler(hub)),
            )
        ]

    def apply_connection_faults(self) -> None:
        """Draw the connection faults for each client, the longest connected first.

        `hub_drop` cuts the client, `hub_error` closes it with an error that allows a reconnect, `logout` sends
        GatewayLogout and closes it, `hub_gap` cuts all clients and refuses new ones for its `seconds`.
        """
        for connection in list(self._connections):
            if gap := self._faults.draw("hub_gap"):
                self._closed_until = monotonic() + gap.seconds
                for other in list(self._connections):
                    other.drop()
                return
            if self._faults.draw("hub_drop"):
                connection.drop()
            elif self._faults.draw("hub_error"):
                connection.close_with(protocol.ENDED)
            elif self._faults.draw("logout"):
                connection.send(_LOGGED_OUT)
                connection.close_with(protocol.LOGGED_OUT)

    async def close_all(self) -> None:
        """Close every connection with a record that allows a reconnect, and wait until all are closed."""
        connections = list(self._connections)
        for connection in connections:
            connection.close_with(protocol.GOODBYE)
        await asyncio.gather(*(connection.wait_until_closed() for connection in connections))

    def _negotiate(self, request: Request, _: bytes) -> Response:
        if self._is_closed():
            return Response(status_code=503)
        if self._user_of(request) is None:
            return Response(status_code=401)
        version = 1 if request.query_params.get("negotiateVersion", "0") != "0" else 0
        answer: dict[str, Any] = {"negotiateVersion": version, "connectionId": secrets.token_urlsafe(16)}
        if version:
            answer["connectionToken"] = secrets.token_urlsafe(16)
        return Response(wire.encode({**answer, "availableTransports": _TRANSPORTS}), media_type="application/json")

    def _make_socket_handler(self, hub: HubServer) -> Callable[[WebSocket], Awaitable[None]]:
        """Return the handler of a hub's socket. [SIM] It ignores the `id` of a negotiation."""

        async def connect(socket: WebSocket) -> None:
            user = self._user_of(socket)
            if user is None or self._is_closed():
                await socket.send_denial_response(Response(status_code=503 if self._is_closed() else 401))
                return
            connection = Connection(socket, user, self._timing, self._pipeline.cut)
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
