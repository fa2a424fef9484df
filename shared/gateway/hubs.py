"""One of the venue's two hubs, by SignalR's JSON protocol: connects, stays, and comes back after every loss.

Source: venue.md sections 7.1 and 7.4, and SignalR's HubProtocol.md. Why it is ours: docs/decisions/0007.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from http import HTTPStatus
from itertools import count
from random import Random
from typing import Any, Protocol

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, WebSocketException

from shared.clock import monotonic
from shared.errors import CredentialsRefusedError, TradingError
from shared.log import masked

log = logging.getLogger(__name__)

_END = "\x1e"
_INVOCATION, _COMPLETION, _PING, _CLOSE = 1, 3, 6, 7
_HANDSHAKE = '{"protocol":"json","version":1}' + _END
_PING_RECORD = '{"type":6}' + _END
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 10.0
_MOST_LOGOUTS, _LOGOUTS_WITHIN_S = 5, 120.0


class HubError(TradingError):
    """The hub cannot be used as it is now; a new connection may help."""


class _LoggedOutError(HubError):
    """The venue has ended the session of our token."""


class Access(Protocol):
    """Where a hub gets its token: asked anew for every connection."""

    async def token(self) -> str:
        """Return the token that all processes share."""
        ...

    async def renewed(self, refused: str) -> str:
        """Return another token than one that the venue refuses."""
        ...


class Record(msgspec.Struct):
    """One record of the protocol, as far as a client needs it."""

    type: int = 0
    target: str = ""
    arguments: list[msgspec.Raw] = []
    invocationId: str | None = None  # noqa: N815  # the protocol's name
    error: str | None = None


class Patience(msgspec.Struct, frozen=True):
    """How long what may take; the defaults are the protocol's, and the token's 24 hours with room."""

    handshake: timedelta = timedelta(seconds=15)
    ping_every: timedelta = timedelta(seconds=15)
    silence: timedelta = timedelta(seconds=30)  # of pings too: then the other side is dead
    answer: timedelta = timedelta(seconds=10)
    connection: timedelta = timedelta(hours=20)  # then it is built anew, with the token of that time


class Hub:
    """Calls `on_event(target, arguments)` for what the hub says, and awaits `on_connected` after every connection.

    What was subscribed dies with a connection: `on_connected` subscribes, and closes the gap. Its failure is a loss.
    """

    def __init__(
        self,
        url: str,
        access: Access,
        on_event: Callable[[str, list[msgspec.Raw]], None],
        on_connected: Callable[["Hub"], Awaitable[None]],
        patience: Patience | None = None,
    ) -> None:
        self._url = url.replace("http", "ws", 1) + "?access_token="
        self.name = url.rsplit("/", 1)[-1]
        self._access = access
        self._on_event = on_event
        self._on_connected = on_connected
        self._patience = patience or Patience()
        self._socket: ClientConnection | None = None
        self._heard_at = self._said_at = monotonic()
        self._numbers = count(1)
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self._logouts: list[float] = []
        self._random = Random()  # noqa: S311  # spreads retries; guards no secret
        self.connections = 0

    @property
    def is_connected(self) -> bool:
        """Whether a connection stands; whether it says anything is another question."""
        return self._socket is not None

    async def run(self) -> None:
        """Stay connected until cancelled; raise CredentialsRefusedError when the venue keeps throwing us out."""
        failures = 0
        refused = ""
        while True:
            began = monotonic()
            try:
                token = await (self._access.renewed(refused) if refused else self._access.token())
                refused = ""
                await self._connection(token)
            except _LoggedOutError:
                refused = token
                self._count_logout()
            except InvalidStatus as error:
                refused = token if error.response.status_code == HTTPStatus.UNAUTHORIZED else ""
                log.warning("hub %s: the venue answered %s", self.name, error.response.status_code)
            except CredentialsRefusedError:
                raise
            except (TradingError, OSError, WebSocketException, TimeoutError, msgspec.MsgspecError) as error:
                log.warning("hub %s lost: %s", self.name, masked(f"{type(error).__name__}: {error}"))
            failures = 0 if monotonic() - began > _LONGEST_PAUSE_S else failures + 1
            most = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** min(failures, 10))
            await asyncio.sleep(self._random.uniform(_FIRST_PAUSE_S / 2, most))

    async def invoke(self, target: str, *arguments: object) -> None:
        """Call a method of the hub and wait until it has been done; raise HubError if it was not."""
        number = str(next(self._numbers))
        done = asyncio.get_running_loop().create_future()
        self._waiting[number] = done
        call = {"type": _INVOCATION, "invocationId": number, "target": target, "arguments": arguments}
        try:
            await self._say(msgspec.json.encode(call).decode() + _END)
            await asyncio.wait_for(done, self._patience.answer.total_seconds())
        finally:
            self._waiting.pop(number, None)

    def drop(self) -> None:
        """Give the connection up, so that another is built."""
        if self._socket is not None:
            self._socket.transport.abort()

    async def _connection(self, token: str) -> None:
        """Connect and stay until the connection is lost, which raises."""
        patience_s = self._patience.handshake.total_seconds()
        async with connect(
            self._url + token, proxy=None, compression=None, ping_interval=None, max_size=2**24, max_queue=None,
            open_timeout=patience_s, close_timeout=1,
        ) as socket:  # fmt: skip
            try:
                async with asyncio.timeout(patience_s):
                    await socket.send(_HANDSHAKE)
                    rest = await self._shake_hands(socket)
                self._socket = socket
                self._heard_at = self._said_at = monotonic()
                self.connections += 1
                await self._stay(socket, rest)
            finally:
                self._socket = None
                for waiting in self._waiting.values():
                    if not waiting.done():
                        waiting.set_exception(HubError("the connection was lost"))

    async def _shake_hands(self, socket: ClientConnection) -> str:
        """Return what came along behind the hub's answer to the handshake."""
        heard = ""
        while _END not in heard:
            heard += _text(await socket.recv())
        answer, _, rest = heard.partition(_END)
        if error := msgspec.json.decode(answer, type=Record).error:
            raise HubError(f"the handshake was refused: {error}")
        return rest

    async def _stay(self, socket: ClientConnection, rest: str) -> None:
        tasks = [
            asyncio.create_task(self._read(socket, rest), name=f"read {self.name}"),
            asyncio.create_task(self._keep_alive(), name=f"keep {self.name} alive"),
            asyncio.create_task(self._call_connected(), name=f"subscribe {self.name}"),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            for task in tasks:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
        for end in ends:
            if isinstance(end, Exception):
                raise end

    async def _call_connected(self) -> None:
        await self._on_connected(self)

    async def _read(self, socket: ClientConnection, rest: str) -> None:
        while True:
            *records, rest = rest.split(_END)
            for record in records:
                self._take(record)
            rest += _text(await socket.recv())
            self._heard_at = monotonic()

    def _take(self, text: str) -> None:
        record = msgspec.json.decode(text, type=Record)
        if record.type == _INVOCATION:
            if record.target == "GatewayLogout":
                raise _LoggedOutError("the venue has ended the session")
            self._on_event(record.target, record.arguments)
        elif record.type == _COMPLETION:
            waiting = self._waiting.get(record.invocationId or "")
            if waiting is not None and not waiting.done():
                if record.error is None:
                    waiting.set_result(None)
                else:
                    waiting.set_exception(HubError(f"hub {self.name}: {record.error}"))
        elif record.type == _CLOSE:
            raise HubError(f"the venue closes the connection: {record.error or 'no reason given'}")

    async def _keep_alive(self) -> None:
        began, every_s = monotonic(), self._patience.ping_every.total_seconds()
        while True:
            await asyncio.sleep(every_s / 5)
            now = monotonic()
            if now - self._heard_at > self._patience.silence.total_seconds():
                raise HubError(f"nothing heard for {now - self._heard_at:.0f} s")
            if now - began > self._patience.connection.total_seconds():
                raise HubError("the connection is as old as it may become")
            if now - self._said_at >= every_s:
                await self._say(_PING_RECORD)

    async def _say(self, record: str) -> None:
        if self._socket is None:
            raise HubError("there is no connection")
        self._said_at = monotonic()
        await self._socket.send(record)

    def _count_logout(self) -> None:
        now = monotonic()
        self._logouts = [at for at in self._logouts if now - at < _LOGOUTS_WITHIN_S] + [now]
        log.warning("hub %s: the venue has logged us out (%s times in two minutes)", self.name, len(self._logouts))
        if len(self._logouts) > _MOST_LOGOUTS:
            raise CredentialsRefusedError(
                f"the venue has logged us out {len(self._logouts)} times within two minutes: another login of the same "
                "user may be at work; stop it, then start the feed again"
            )


def _text(frame: Any) -> str:  # noqa: ANN401  # a text frame, or bytes of one
    with suppress(AttributeError):
        return str(frame.decode())
    return str(frame)
