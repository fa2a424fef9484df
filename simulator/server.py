"""The simulator's web server: on loopback, able to cut a connection, and polite to the hubs' clients when it stops."""

import socket
from collections.abc import Awaitable, Callable, Sequence

import uvicorn
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send


class TwoDoors:
    """One program behind two ports: the venue, and its control."""

    def __init__(self, venue: ASGIApp, control: ASGIApp, control_port: int | None) -> None:
        self._venue = venue
        self._control = control
        self._control_port = control_port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request to the application of the port it came in by."""
        port = (scope.get("server") or ("", None))[1]
        is_control = self._control_port is not None and port == self._control_port
        await (self._control if is_control else self._venue)(scope, receive, send)


class Server(uvicorn.Server):
    """Serves an application on ports of loopback; `goodbye` is awaited before the connections are closed.

    Raise OSError naming the port that cannot be used.
    """

    def __init__(self, app: ASGIApp, ports: Sequence[int], goodbye: Callable[[], Awaitable[None]]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                access_log=False,  # an access token stands in a hub's address
                log_config=None,
                log_level="warning",
                timeout_graceful_shutdown=3,
                ws_per_message_deflate=False,
                ws_ping_interval=None,  # the hubs' own protocol pings
            )
        )
        self._goodbye = goodbye
        self._listening = [_listening(port) for port in ports]

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until told to stop."""
        await super().serve(sockets or self._listening)

    def cut(self, connection: HTTPConnection) -> None:
        """Close a client's connection at once, without a word."""
        for open_one in self.server_state.connections:
            if open_one.transport is not None and open_one.transport.get_extra_info("peername") == connection.client:
                open_one.transport.abort()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take leave, then stop."""
        await self._goodbye()
        await super().shutdown(sockets)


def _listening(port: int) -> socket.socket:
    try:
        return socket.create_server(("127.0.0.1", port), backlog=2048)
    except OSError as error:
        raise OSError(f"port {port} of 127.0.0.1 cannot be used ({error.strerror}): free it, or give another") from None
