"""The simulator's web server: on loopback, able to cut a connection, and polite to the hubs' clients when it stops."""

import socket
from collections.abc import Awaitable, Callable

import uvicorn
from starlette.applications import Starlette
from starlette.requests import HTTPConnection


class Server(uvicorn.Server):
    """Serves an application; `goodbye` is awaited before the connections are closed."""

    def __init__(self, app: Starlette, port: int, goodbye: Callable[[], Awaitable[None]]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                host="127.0.0.1",
                port=port,
                access_log=False,  # an access token stands in a hub's address
                log_config=None,
                log_level="warning",
                timeout_graceful_shutdown=3,
                ws_per_message_deflate=False,
                ws_ping_interval=None,  # the hubs' own protocol pings
            )
        )
        self._goodbye = goodbye

    def cut(self, connection: HTTPConnection) -> None:
        """Close a client's connection at once, without a word."""
        for open_one in self.server_state.connections:
            if open_one.transport is not None and open_one.transport.get_extra_info("peername") == connection.client:
                open_one.transport.abort()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take leave, then stop."""
        await self._goodbye()
        await super().shutdown(sockets)
