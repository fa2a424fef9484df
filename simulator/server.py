"""The web servers of the simulator on loopback: the venue's, which can cut a connection, and the control port's."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Awaitable, Callable, Generator

import uvicorn
from starlette.applications import Starlette
from starlette.requests import HTTPConnection

from shared.errors import SettingsError

HOST = "127.0.0.1"
_REFUSED_SOCKET = "ASGI callable returned without completing handshake."  # a 401 or 503 of a hub, as at the venue


def _is_error(record: logging.LogRecord) -> bool:
    """Whether uvicorn's record is one: it takes each socket that is refused with an answer for a fault of ours."""
    return record.msg != _REFUSED_SOCKET


logging.getLogger("uvicorn.error").addFilter(_is_error)


class ControlServer(uvicorn.Server):
    """Serves the control port, in the event loop of the venue's server."""

    def __init__(self, app: Starlette, port: int) -> None:
        super().__init__(_config(app, port))

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave the signals to the venue's server."""
        yield


class Server(uvicorn.Server):
    """Serves the venue and the control port; awaits `goodbye` before it closes the connections."""

    def __init__(
        self, app: Starlette, port: int, goodbye: Callable[[], Awaitable[None]], control: ControlServer | None = None
    ) -> None:
        super().__init__(_config(app, port))
        self._goodbye = goodbye
        self._control = control
        self._control_task: asyncio.Task[None] | None = None

    def listen_and_run(self) -> None:
        """Serve until SIGTERM or SIGINT; raise SettingsError for a port that is taken, before any request is served."""
        listener = listen_on(self.config.port)
        control_listener = listen_on(self._control.config.port) if self._control else None

        async def run() -> None:
            if self._control and control_listener:
                self._control_task = asyncio.create_task(self._control.serve([control_listener]))
            await self.serve([listener])

        with contextlib.suppress(KeyboardInterrupt):  # raised again after the shutdown
            asyncio.run(run())

    def cut(self, connection: HTTPConnection) -> None:
        """Close the connection of a client at once, without an answer."""
        for http_connection in self.server_state.connections:
            if (
                http_connection.transport is not None
                and http_connection.transport.get_extra_info("peername") == connection.client
            ):
                http_connection.transport.abort()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the hub connections, then stop both servers."""
        await self._goodbye()
        await super().shutdown(sockets)
        if self._control and self._control_task:
            self._control.should_exit = True
            await self._control_task


def _config(app: Starlette, port: int) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=HOST,
        port=port,
        access_log=False,  # the URL of a hub contains an access token
        log_config=None,
        log_level="warning",
        timeout_graceful_shutdown=3,
        timeout_keep_alive=130,  # as the venue's own server by default, ASP.NET's Kestrel
        ws_per_message_deflate=False,
        ws_ping_interval=None,  # the hubs' own protocol pings
    )


def listen_on(port: int) -> socket.socket:
    """Return a listening socket on loopback; raise SettingsError for a port that is taken.

    The socket names its protocol: only then does asyncio switch off Nagle's algorithm for accepted connections, which
    together with delayed acknowledgements would delay each answer by 40 ms.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise SettingsError(f"cannot listen on port {port} ({error.strerror}): choose another port") from None
    listener.setblocking(False)  # noqa: FBT003 - the standard library's own signature
    return listener
