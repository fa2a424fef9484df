"""The simulator's web servers, on loopback: the venue's, which can cut a connection, and the control port's."""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Generator

import uvicorn
from starlette.applications import Starlette
from starlette.requests import HTTPConnection

from shared.errors import SettingsError

HOST = "127.0.0.1"


class ControlServer(uvicorn.Server):
    """Serves the simulator's own endpoints beside the venue, in its loop."""

    def __init__(self, app: Starlette, port: int) -> None:
        super().__init__(_config(app, port))

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave signals to the venue's server."""
        yield


class Server(uvicorn.Server):
    """Serves the venue, and what is beside it as long; `goodbye` is awaited before the connections are closed."""

    def __init__(
        self, app: Starlette, port: int, goodbye: Callable[[], Awaitable[None]], control: ControlServer | None = None
    ) -> None:
        super().__init__(_config(app, port))
        self._goodbye = goodbye
        self._control = control
        self._beside: asyncio.Task[None] | None = None

    def listen_and_run(self) -> None:
        """Serve until told to stop; raise SettingsError for a port that is taken, before anything is served."""
        listener = listen_on(self.config.port)
        beside = listen_on(self._control.config.port) if self._control else None

        async def run() -> None:
            if self._control and beside:
                self._beside = asyncio.create_task(self._control.serve([beside]))
            await self.serve([listener])

        with contextlib.suppress(KeyboardInterrupt):  # Ctrl-C has done its work by then
            asyncio.run(run())

    def cut(self, connection: HTTPConnection) -> None:
        """Close a client's connection at once, without a word."""
        for open_one in self.server_state.connections:
            if open_one.transport is not None and open_one.transport.get_extra_info("peername") == connection.client:
                open_one.transport.abort()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take leave, then stop."""
        await self._goodbye()
        await super().shutdown(sockets)
        if self._control and self._beside:
            self._control.should_exit = True
            await self._beside


def _config(app: Starlette, port: int) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=HOST,
        port=port,
        access_log=False,  # an access token stands in a hub's address
        log_config=None,
        log_level="warning",
        timeout_graceful_shutdown=3,
        ws_per_message_deflate=False,
        ws_ping_interval=None,  # the hubs' own protocol pings
    )


def listen_on(port: int) -> socket.socket:
    """Return a listener of loopback; raise SettingsError for a port that is taken.

    It names its protocol: only then does asyncio switch Nagle's algorithm off for what it accepts, which with delayed
    acknowledgements would hold each answer back for 40 ms.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise SettingsError(f"port {port} cannot be listened on ({error.strerror}): give another") from None
    listener.setblocking(False)  # noqa: FBT003 - the standard library's own signature
    return listener
