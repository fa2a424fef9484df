"""One client connection of a hub: handshake, calls and send buffer."""

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
_MAX_FRAME_CHARS = 64 * 1024  # records share a frame up to this size; a longer record has its own
_FLUSH_TIMEOUT_S = 2.0  # for a client to read the last record before the connection is cut
InvokeMethod = Callable[["Connection", Invocation], None]
CutConnection = Callable[[WebSocket], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class HubTiming:
    """The timeouts of a hub connection in seconds of machine time (.NET's defaults), and the size of its send buffer.

    `handshake`: the client's first record; `ping`: the server's silence before it pings; `client`: the client's silence
    before the connection ends. A client with more than `send_buffer` unread characters is dropped.
    """

    handshake: float = 15
    ping: float = 15
    client: float = 30
    send_buffer: int = 4 * 1024 * 1024


class Connection:
    """A client connection. Sending never waits: a separate task writes its buffer, as much as fits in one frame."""

    def __init__(self, socket: WebSocket, user: str, timing: HubTiming, cut: CutConnection) -> None:
        self.user = user
        self._socket = socket
        self._timing = timing
        self._cut = cut
        self._splitter = protocol.FrameSplitter()
        self._send_buffer: deque[str] = deque()
        self._waiting_chars = 0
        self._is_due = asyncio.Event()
        self._is_handshake_done = False
        self._is_ending = False
        self._is_over = False
        self._closed = asyncio.Event()

    async def serve(self, invoke: InvokeMethod) -> None:
        """Serve the client until either side closes; `invoke` answers each call."""
        await self._socket.accept()
        writing = asyncio.create_task(self._write())
        try:
            await self._read(invoke)
        except HandshakeRefusedError as error:
            self.close_with(protocol.encode_handshake_error(error))
        except (BadFrameError, TimeoutError):
            self.close_with(protocol.ENDED)
        except WebSocketDisconnect:
            self._is_over = True
        finally:
            if not self._is_over and (await asyncio.wait([writing], timeout=_FLUSH_TIMEOUT_S))[1]:
                self.drop()
            self._is_over = True
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            self._closed.set()

    def send(self, record: str) -> None:
        """Queue a record behind those before it; drop a client that does not read."""
        if self._is_ending or self._is_over:
            return
        self._send_buffer.append(record)
        self._waiting_chars += len(record)
        self._is_due.set()
        if self._waiting_chars > self._timing.send_buffer:
            _log.warning("a client of %s does not read and is dropped", self._socket.url.path)
            self.drop()

    def close_with(self, last: str) -> None:
        """Send one last record, then close."""
        self.send(last)
        self._is_ending = True
        self._is_due.set()

    def drop(self) -> None:
        """Cut the connection without a close record."""
        if not self._is_over:
            self._is_over = True
            self._send_buffer.clear()
            self._cut(self._socket)

    async def wait_until_closed(self) -> None:
        """Wait until the connection is closed."""
        await self._closed.wait()

    async def _read(self, invoke: InvokeMethod) -> None:
        try:
            async with asyncio.timeout(self._timing.handshake):
                while not (records := await self._receive()):
                    pass
        except TimeoutError:
            raise HandshakeRefusedError("Handshake was canceled.") from None
        protocol.check_handshake(records.pop(0))
        self.send(protocol.WELCOME)
        self._is_handshake_done = True
        received_at = monotonic()
        while True:
            for record in records:
                received_at = monotonic()
                match protocol.parse_record(record):
                    case Invocation() as call:
                        invoke(self, call)
                    case SentMessageType.CLOSE:
                        self.close_with(protocol.LOGGED_OUT)
            async with asyncio.timeout(received_at + self._timing.client - monotonic()):
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
        # Suppressed: the client has gone, which ends `_read` too.
        with contextlib.suppress(WebSocketDisconnect, RuntimeError, OSError):
            while not (self._is_ending and not self._send_buffer):
                try:
                    async with asyncio.timeout(self._timing.ping):
                        await self._is_due.wait()
                except TimeoutError:
                    if not self._is_handshake_done:
                        continue
                    self.send(protocol.PING)
                await self._socket.send({"type": "websocket.send", "text": self._next_frame()})
            await self._socket.close()

    def _next_frame(self) -> str:
        parts: list[str] = []
        size = 0
        while self._send_buffer and (not parts or size + len(self._send_buffer[0]) <= _MAX_FRAME_CHARS):
            part = self._send_buffer.popleft()
            parts.append(part)
            size += len(part)
        self._waiting_chars -= size
        if not self._send_buffer and not self._is_ending:
            self._is_due.clear()
        return "".join(parts)
