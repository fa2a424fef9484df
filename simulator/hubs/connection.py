"""One client of a hub: its handshake, its calls, and what waits to be sent to it."""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from starlette.websockets import WebSocket, WebSocketDisconnect

from shared.clock import monotonic
from simulator.hubs import protocol
from simulator.hubs.protocol import BadFrameError, HandshakeRefusedError, Invocation, SentMessageType

_log = logging.getLogger("simulator.hubs")
_FRAME = 64 * 1024  # characters of records that go out in one frame, at most, unless one record is longer
_FLUSH = 2.0  # seconds a client has to take what was said last
Invoke = Callable[["Connection", Invocation], None]
Cut = Callable[[WebSocket], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class HubTiming:
    """How patient the hubs are: seconds of machine time as .NET has them, and the characters that may wait to be read.

    `handshake` is for the first record, `ping` the silence after which we ping, `client` that after which a client is
    dropped; one with more than `outbox` waiting is too slow and dropped.
    """

    handshake: float = 15
    ping: float = 15
    client: float = 30
    outbox: int = 4 * 1024 * 1024


class Connection:
    """A client. Sending never waits: a task of its own writes what is due, as much as fits in one frame."""

    def __init__(self, socket: WebSocket, user: str, manners: HubTiming, cut: Cut) -> None:
        self.user = user
        self._socket = socket
        self._manners = manners
        self._cut = cut
        self._splitter = protocol.FrameSplitter()
        self._outbox: deque[str] = deque()
        self._waiting = 0
        self._is_due = asyncio.Event()
        self._is_greeted = False
        self._is_ending = False
        self._is_over = False
        self._ended = asyncio.Event()

    async def serve(self, invoke: Invoke) -> None:
        """Talk until either side ends it; `invoke` answers each call."""
        await self._socket.accept()
        writing = asyncio.create_task(self._write())
        try:
            await self._read(invoke)
        except HandshakeRefusedError as error:
            self.end(protocol.refusal(error))
        except (BadFrameError, TimeoutError):
            self.end(protocol.ENDED)
        except WebSocketDisconnect:
            self._is_over = True
        finally:
            if not self._is_over and (await asyncio.wait([writing], timeout=_FLUSH))[1]:
                self.drop()
            self._is_over = True
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            self._ended.set()

    def send(self, record: str) -> None:
        """Let a record go out soon, behind those before it; a client that does not read is dropped."""
        if self._is_ending or self._is_over:
            return
        self._outbox.append(record)
        self._waiting += len(record)
        self._is_due.set()
        if self._waiting > self._manners.outbox:
            _log.warning("a client of %s does not read and is dropped", self._socket.url.path)
            self.drop()

    def end(self, last: str) -> None:
        """Say one last thing, then close."""
        self.send(last)
        self._is_ending = True
        self._is_due.set()

    def drop(self) -> None:
        """Cut the connection without a word."""
        if not self._is_over:
            self._is_over = True
            self._outbox.clear()
            self._cut(self._socket)

    async def ended(self) -> None:
        """Wait until the client is gone."""
        await self._ended.wait()

    async def _read(self, invoke: Invoke) -> None:
        try:
            async with asyncio.timeout(self._manners.handshake):
                while not (records := await self._receive()):
                    pass
        except TimeoutError:
            raise HandshakeRefusedError("Handshake was canceled.") from None
        protocol.check_handshake(records.pop(0))
        self.send(protocol.WELCOME)
        self._is_greeted = True
        heard_at = monotonic()
        while True:
            for record in records:
                heard_at = monotonic()
                match protocol.parsed(record):
                    case Invocation() as call:
                        invoke(self, call)
                    case SentMessageType.CLOSE:
                        self.end(protocol.LOGGED_OUT)
            async with asyncio.timeout(heard_at + self._manners.client - monotonic()):
                records = await self._receive()

    async def _receive(self) -> list[str]:
        message = await self._socket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005))
        text = message.get("text")
        try:
            return self._splitter.feed(message["bytes"].decode() if text is None else text)
        except UnicodeDecodeError as error:
            raise BadFrameError(str(error)) from error

    async def _write(self) -> None:
        with contextlib.suppress(WebSocketDisconnect, RuntimeError, OSError):  # the client has gone: the reader knows
            while not (self._is_ending and not self._outbox):
                try:
                    async with asyncio.timeout(self._manners.ping):
                        await self._is_due.wait()
                except TimeoutError:
                    if not self._is_greeted:
                        continue
                    self.send(protocol.PING)
                await self._socket.send({"type": "websocket.send", "text": self._frame()})
            await self._socket.close()

    def _frame(self) -> str:
        parts: list[str] = []
        size = 0
        while self._outbox and (not parts or size + len(self._outbox[0]) <= _FRAME):
            part = self._outbox.popleft()
            parts.append(part)
            size += len(part)
        self._waiting -= size
        if not self._outbox and not self._is_ending:
            self._is_due.clear()
        return "".join(parts)
