"""The client of one of the venue's two hubs: connects, and reconnects after every loss.

Source: venue.md sections 3.5, 7.1, 7.4 and 7.5. Why it is our own: docs/explanation/decisions/0007-hub-client.md.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from itertools import count
from random import Random
from urllib.parse import quote

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, WebSocketException

from shared.clock import machine_now, monotonic
from shared.domain.accounts.login import parse_token
from shared.errors import CredentialsRefusedError, TickworkError
from shared.gateway.hubs import protocol
from shared.gateway.hubs.protocol import MessageType, Record
from shared.gateway.hubs.session import HubSession
from shared.log import mask_secrets

log = logging.getLogger(__name__)
# At DEBUG the library logs everything it sends, first the URL with the token.
_socket_log = logging.getLogger(f"{__name__}.socket")
_socket_log.setLevel(logging.WARNING)

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 10.0
_TOKEN_RETRY_S = 600.0


class HubError(TickworkError):
    """The connection to the hub cannot be used; a new connection may help."""


class LoggedOutError(HubError):
    """The venue has ended the session of our token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """The limits of a connection, in machine time; the defaults are the protocol's.

    A connection is used for `token_share` of the time its token has left: 20 of 24 hours.
    """

    handshake: timedelta = timedelta(seconds=15)
    ping_every: timedelta = timedelta(seconds=15)
    silence: timedelta = timedelta(seconds=30)  # without a record, not even a ping: the venue is taken for dead
    answer: timedelta = timedelta(seconds=10)
    token_share: float = 5 / 6


class _Connect(connect):
    """`connect`, without following redirects: one would send the token to another address."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class Hub:
    """Calls `on_event(target, arguments)` for each event, and awaits `on_connected` after each connect.

    Subscriptions end with their connection: `on_connected` subscribes again, and closes the gap. If it fails, the
    connection is closed. `on_event` must be quick: the next record waits for it.
    """

    def __init__(
        self,
        url: str,
        session: HubSession,
        on_event: Callable[[str, list[msgspec.Raw]], None],
        on_connected: Callable[["Hub"], Awaitable[None]],
        timeouts: Timeouts | None = None,
    ) -> None:
        self.name = url.rsplit("/", 1)[-1]
        self.connections = 0
        self.event_count = 0
        self.is_ready = False
        self.lost_at: float | None = None
        self.last_gap_s: float | None = None
        self._url = url.replace("http", "ws", 1)
        self._session = session
        self._on_event = on_event
        self._on_connected = on_connected
        self._timeouts = timeouts or Timeouts()
        self._socket: ClientConnection | None = None
        self._send_lock = asyncio.Lock()
        self._received_at = self._sent_at = monotonic()
        self._call_numbers = count(1)
        self._pending_calls: dict[str, asyncio.Future[None]] = {}
        self._random = Random()  # noqa: S311  # spreads retries; guards no secret
        session.register_rebuild(self.drop)

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection; it may still be silent."""
        return self._socket is not None

    @property
    def silent_s(self) -> float:
        """Seconds since the last record of any kind."""
        return monotonic() - self._received_at

    async def run(self) -> None:
        """Stay connected until cancelled; raise CredentialsRefusedError when the venue refuses the login."""
        failures = 0
        while True:
            began, token = monotonic(), ""
            try:
                token = await self._session.token()
                await self._run_connection(token)
            except CredentialsRefusedError:
                raise
            except LoggedOutError:
                self._session.record_logout(token)
            except InvalidStatus as error:
                log.warning("hub %s: the venue answered %s", self.name, error.response.status_code)
                if error.response.status_code == HTTPStatus.UNAUTHORIZED:
                    self._session.record_refused(token)
            except (TickworkError, OSError, WebSocketException) as error:
                log.warning("hub %s lost: %s", self.name, mask_secrets(f"{type(error).__name__}: {error}"))
            failures = 0 if monotonic() - began > _LONGEST_PAUSE_S else failures + 1
            most = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** min(failures, 10))
            await asyncio.sleep(self._random.uniform(_FIRST_PAUSE_S / 2, most))

    async def invoke(self, target: str, *arguments: object) -> None:
        """Call a method of the hub and wait for its completion; raise HubError on failure, TimeoutError without one."""
        number = str(next(self._call_numbers))
        done = asyncio.get_running_loop().create_future()
        self._pending_calls[number] = done
        try:
            async with asyncio.timeout(self._timeouts.answer.total_seconds()):
                await self._send(protocol.encode_invocation(number, target, arguments))
                await done
        finally:
            self._pending_calls.pop(number, None)

    def drop(self) -> None:
        """Close the connection at once, unread data included; `run` then opens another."""
        if self._socket is not None:
            self._socket.transport.abort()

    async def _run_connection(self, token: str) -> None:
        """Connect, and serve the connection until it is lost, which raises."""
        handshake_s = self._timeouts.handshake.total_seconds()
        async with _Connect(
            f"{self._url}?access_token={quote(token)}", logger=_socket_log, proxy=None, compression=None,
            ping_interval=None, max_size=protocol.MAX_FRAME, max_queue=64, open_timeout=handshake_s, close_timeout=1,
        ) as socket:  # fmt: skip
            splitter = protocol.RecordSplitter()
            async with asyncio.timeout(handshake_s):
                await socket.send(protocol.HANDSHAKE)
                records = await self._shake_hands(socket, splitter)
            self._mark_connected(socket)
            try:
                await self._serve(socket, splitter, records, token)
            finally:
                self._mark_lost()

    def _mark_connected(self, socket: ClientConnection) -> None:
        now = monotonic()
        self._socket = socket
        self._received_at = self._sent_at = now
        self.connections += 1
        if self.lost_at is not None:
            self.last_gap_s = now - self.lost_at

    def _mark_lost(self) -> None:
        self._socket, self.is_ready, self.lost_at = None, False, monotonic()
        for waiting in self._pending_calls.values():
            if not waiting.done():
                waiting.set_exception(HubError(f"hub {self.name}: the connection was lost"))

    async def _shake_hands(self, socket: ClientConnection, splitter: protocol.RecordSplitter) -> list[str]:
        """Return the records that came in the same message as the answer to the handshake."""
        while not (records := splitter.feed(protocol.decode_frame(await socket.recv()))):
            pass
        if error := protocol.parse_record(records.pop(0)).error:
            raise HubError(f"the venue refused the handshake: {error}")
        return records

    async def _serve(
        self, socket: ClientConnection, splitter: protocol.RecordSplitter, records: list[str], token: str
    ) -> None:
        tasks = [
            asyncio.create_task(self._read_records(socket, splitter, records), name=f"read {self.name}"),
            asyncio.create_task(self._keep_alive(), name=f"keep {self.name} alive"),
            asyncio.create_task(self._end_before_token(token), name=f"end {self.name} before its token"),
            asyncio.create_task(self._prepare(), name=f"subscribe {self.name}"),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            for task in tasks:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
        failures = [end for end in ends if isinstance(end, Exception)]
        # The cause comes first: a closed socket is often only its consequence.
        raise min(failures, key=lambda end: (not isinstance(end, LoggedOutError), not isinstance(end, TickworkError)))

    async def _prepare(self) -> None:
        await self._on_connected(self)
        self.is_ready = True

    async def _read_records(
        self, socket: ClientConnection, splitter: protocol.RecordSplitter, records: list[str]
    ) -> None:
        while True:
            for record in records:
                self._handle_record(protocol.parse_record(record))
            records = splitter.feed(protocol.decode_frame(await socket.recv()))
            if records:
                self._received_at = monotonic()

    def _handle_record(self, record: Record) -> None:
        match record.type:
            case MessageType.INVOCATION if record.target == "GatewayLogout":
                raise LoggedOutError("the venue ended the session")
            case MessageType.INVOCATION:
                self.event_count += 1
                self._on_event(record.target, record.arguments)
            case MessageType.COMPLETION:
                waiting = self._pending_calls.get(record.invocationId or "")
                if waiting is not None and not waiting.done():
                    if record.error is None:
                        waiting.set_result(None)
                    else:
                        waiting.set_exception(HubError(f"hub {self.name}: {record.error}"))
            case MessageType.CLOSE:
                raise HubError(f"the venue closed the connection: {record.error or 'no reason given'}")

    async def _keep_alive(self) -> None:
        every_s, silence_s = self._timeouts.ping_every.total_seconds(), self._timeouts.silence.total_seconds()
        while True:
            await asyncio.sleep(min(every_s, silence_s) / 5)
            if self.silent_s > silence_s:
                self.drop()  # a dead peer answers no close
                raise HubError(f"no record for {self.silent_s:.0f} s")
            if monotonic() - self._sent_at >= every_s:
                async with asyncio.timeout(silence_s):
                    await self._send(protocol.PING)

    async def _end_before_token(self, token: str) -> None:
        """End the connection before its token ends, once there is another token to connect with."""
        left = parse_token(token, machine_now()).ends_at - machine_now()
        await asyncio.sleep(left.total_seconds() * self._timeouts.token_share)
        while True:
            try:
                await self._session.get_fresh_token(token)
            except CredentialsRefusedError:
                raise
            except TickworkError as error:
                log.warning("hub %s: cannot get a new token, and the one in use ends soon: %s", self.name, error)
                await asyncio.sleep(_TOKEN_RETRY_S)
            else:
                raise HubError("its token ends soon: reconnecting with a new one")

    async def _send(self, record: str) -> None:
        async with self._send_lock:  # two records must not interleave
            if self._socket is None:
                raise HubError(f"hub {self.name}: not connected")
            self._sent_at = monotonic()
            await self._socket.send(record)
