"""The receiver's HTTP protocol: uvicorn's, with deadlines for senders and caps on headers and connections."""

import asyncio
from enum import Enum, auto
from http import HTTPStatus
from itertools import count
from operator import attrgetter
from typing import NoReturn

from httptools import HttpParserError
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from web.receiver.problem import problem
from web.receiver.scope import IS_STORING, IS_WHOLE

HEADERS_TIMEOUT_S = 0.4  # with those of the body and of the database less than TradingView waits for our answer
_LAST_CHANCE_S = 0.01
_WRITE_TIMEOUT_S = 2.0  # of a sender that does not read its answers
MAX_HEADER_BYTES = 16 * 1024  # of the request line and all headers; also of what frames a body in chunks
MAX_HEADERS = 100
MAX_CHUNKS = 128  # of a body
_AROUND_HEADER = 4  # bytes: a colon, a blank and the end of the line
MAX_PIPELINED = 8  # requests that wait behind the one that is served
MAX_CONNECTIONS = 512
_PLACES = count(1)  # the clock of the event loop stands still within a millisecond


class _Part(Enum):
    """The part of a request that the parser has reached."""

    NONE = auto()  # between two requests
    HEADERS = auto()
    BODY = auto()


class _Headers(list[tuple[bytes, bytes]]):
    """The headers of a request, at most MAX_HEADERS: each costs time however small it is."""

    def append(self, header: tuple[bytes, bytes]) -> None:
        """Take a header, as the parser gives it; raise HttpParserError for one too many."""
        if len(self) >= MAX_HEADERS:
            raise HttpParserError("too many headers")
        super().append(header)


class _NoTrailers(list[tuple[bytes, bytes]]):
    """Takes no header: those behind a body would change the ones of a request that is served already."""

    def append(self, _: tuple[bytes, bytes]) -> NoReturn:
        """Refuse a trailer, as the parser gives it."""
        raise HttpParserError("trailers are not taken")


_NO_TRAILERS = _NoTrailers()


class ReceiverProtocol(HttpToolsProtocol):
    """One connection. The sender has a deadline whenever it is the one we wait for, except while it is idle.

    It runs since the connection for the headers of the first request, since its first byte for those of the next ones,
    and since an early answer for the rest of its request; trickled bytes do not extend it. An idle connection stays for
    uvicorn's `timeout_keep_alive`.
    """

    _part = _Part.NONE
    _header_bytes = 0  # received for a request whose headers are not complete
    _framing_bytes = 0  # received between and behind the chunks of a body that is not complete
    _chunk_count = 0  # of the last body
    _is_aborted = False
    _deadline: asyncio.TimerHandle | None = None
    _write_deadline: asyncio.TimerHandle | None = None
    _running: RequestResponseCycle | None = None  # the request that is served; `cycle` is the last one received

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn declares it
        """Begin; above the cap end another connection, or this one where every other one is storing something."""
        super().connection_made(transport)
        self._place = next(_PLACES)  # that of the last request once one has begun
        if len(self.connections) > MAX_CONNECTIONS and not self._make_room():
            self._abort()
            return
        self._set_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel every deadline, and the requests that came at once with the one that is served."""
        self._disconnect()
        self._clear_deadline()
        self._clear_write_deadline()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse, refuse headers and framing that are too large, and set the deadline for what is still to come."""
        if self.transport.is_closing():
            return
        self._header_bytes += len(data)
        body = self.cycle.body if self._part is _Part.BODY and not self._is_answered() else None
        known = 0 if body is None else len(body)
        super().data_received(data)
        if self._part is _Part.BODY and body is self.cycle.body:  # the same one, which the parser has filled
            self._framing_bytes += len(data) - (len(body) - known)
            if self._framing_bytes > MAX_HEADER_BYTES:
                self._refuse_framing()
        if self._part is not _Part.HEADERS:
            self._header_bytes = 0
        elif self._header_bytes > MAX_HEADER_BYTES:
            self._refuse_headers()
        if self._part is _Part.HEADERS or self._is_answered():
            self._set_deadline()
        else:
            self._clear_deadline()

    def on_message_begin(self) -> None:
        """Note that headers follow."""
        self._part = _Part.HEADERS
        self._place = next(_PLACES)
        super().on_message_begin()
        self.headers = self.scope["headers"] = _Headers()

    def on_headers_complete(self) -> None:
        """Start the request unless its headers are too large, or too many others wait before it."""
        if self._header_bytes > MAX_HEADER_BYTES:
            sizes = (len(name) + len(value) + _AROUND_HEADER for name, value in self.headers)
            if len(self.url) + sum(sizes) > MAX_HEADER_BYTES:
                self._refuse_headers()
                raise HttpParserError("the headers are too large")  # ends the parsing of what follows
        super().on_headers_complete()
        self._part = _Part.BODY
        self.headers = _NO_TRAILERS
        self._chunk_count = self._framing_bytes = 0
        if len(self.pipeline) > MAX_PIPELINED:
            raise HttpParserError("too many requests at once")  # the one that is served gets the last answer

    def on_chunk_header(self) -> None:
        """Count the chunks of a body, each of which costs time however small it is."""
        self._chunk_count += 1
        if self._chunk_count > MAX_CHUNKS:
            raise HttpParserError("too many chunks")

    def on_message_complete(self) -> None:
        """Note that the request is whole, also for the reader of its body."""
        self._part = _Part.NONE
        self.cycle.scope[IS_WHOLE] = True  # type: ignore[literal-required]  # an extension of ours
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Set the deadline for the rest of a request that is answered, or for the reading of the last answer."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._set_write_deadline()
        elif self._part is _Part.BODY and self._is_answered():
            self._set_deadline()

    def pause_writing(self) -> None:
        """Set the deadline of a sender that does not read its answers."""
        super().pause_writing()
        self._set_write_deadline()

    def resume_writing(self) -> None:
        """Cancel that deadline."""
        self._clear_write_deadline()
        super().resume_writing()

    @property
    def may_be_ended(self) -> bool:
        """Whether this connection may be ended to make room: not if it is storing something, or has ended."""
        running = self._running
        is_storing = running is not None and not running.response_complete and IS_STORING in running.scope
        return not (self._is_aborted or is_storing)

    @property
    def rank(self) -> tuple[bool, int]:
        """The key by which connections are ended to make room, the first one first."""
        is_idle = self.timeout_keep_alive_task is not None or self.transport.is_closing()
        return not is_idle, self._place

    def timeout_keep_alive_handler(self) -> None:
        """End this connection at once, without waiting for a sender that has not read its last answer."""
        self._abort()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  # uvicorn's words
        """Refuse bytes that are no HTTP request, or frame a body wrongly."""
        if self._part is _Part.BODY:
            self._refuse_framing()
            return
        if self._part is _Part.HEADERS and len(self.headers) >= MAX_HEADERS:
            self._refuse_headers()
            return
        self._refuse(HTTPStatus.BAD_REQUEST, "this is no valid HTTP request", "send an alert with POST, as HTTP/1.1")

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._running = cycle
        if len(self.connections) > MAX_CONNECTIONS / 4:
            cycle.keep_alive = False  # else a crowd that asks again and again takes the time of every alert
        super()._start_asgi_task(cycle, app)

    def _is_answered(self) -> bool:
        """Whether no answer is due for any request that has begun."""
        return self.cycle is None or self.cycle.response_complete

    def _make_room(self) -> bool:
        """End the connection that matters least, and return whether there was one that may be ended.

        It is one without a request to answer, else the one whose request is the oldest: a flood does not keep out an
        alert, which is in its store within milliseconds and may not be ended there.
        """
        others = [
            one
            for one in self.connections
            if one is not self and isinstance(one, ReceiverProtocol) and one.may_be_ended
        ]
        if others:
            min(others, key=attrgetter("rank")).timeout_keep_alive_handler()
        return bool(others)

    def _refuse_headers(self) -> None:
        self._refuse(
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
            f"the URL and the headers are larger than {MAX_HEADER_BYTES} bytes, or more than {MAX_HEADERS}",
            "send the alert in the body, and fewer or shorter headers",
        )

    def _refuse_framing(self) -> None:
        self._refuse(
            HTTPStatus.BAD_REQUEST,
            f"the body has wrong or more than {MAX_CHUNKS} chunks, {MAX_HEADER_BYTES} bytes around them, or trailers",
            "send the body in one piece, with its Content-Length",
        )

    def _refuse(self, status: HTTPStatus, wrong: str, hint: str) -> None:
        """Answer and close; while an earlier request is served, its answer is the last one."""
        if self.transport.is_closing():
            return
        if self._part is _Part.BODY and self._is_answered():
            self._close()
            return
        running = self._running
        if running is not None and not running.response_complete and (running is not self.cycle or self._is_begun()):
            self.pipeline.clear()
            running.keep_alive = False
            self.flow.pause_reading()
            return
        answer = problem(status, wrong, hint=hint, headers={"Connection": "close"})
        lines = [f"HTTP/1.1 {status.value} {status.phrase}".encode()]
        lines += [b"%s: %s" % header for header in answer.raw_headers]
        self.transport.write(b"\r\n".join([*lines, b"", bytes(answer.body)]))
        self._close()

    def _is_begun(self) -> bool:
        """Whether the last request received is whole or has begun to be answered: then it gets its answer."""
        return self._part is not _Part.BODY or self.cycle.response_started

    def _close(self) -> None:
        self._disconnect()
        self.transport.close()
        self._set_write_deadline()

    def _abort(self) -> None:
        self._is_aborted = True
        self._disconnect()
        self.transport.abort()

    def _disconnect(self) -> None:
        """Let what is served notice that no answer can be written any more: to write one would fail."""
        self.pipeline.clear()
        if self._running is not None:
            self._running.disconnected = True
            self._running.message_event.set()

    def _set_deadline(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(HEADERS_TIMEOUT_S, self._give_last_chance)

    def _give_last_chance(self) -> None:
        """Read once more before the end: after a pause of ours the bytes of a sender in time may still wait."""
        self._deadline = self.loop.call_later(_LAST_CHANCE_S, self._end_late_request)

    def _clear_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _set_write_deadline(self) -> None:
        if self._write_deadline is None:
            self._write_deadline = self.loop.call_later(_WRITE_TIMEOUT_S, self._abort)

    def _clear_write_deadline(self) -> None:
        if self._write_deadline is not None:
            self._write_deadline.cancel()
            self._write_deadline = None

    def _end_late_request(self) -> None:
        if self._part is _Part.HEADERS and self._header_bytes:
            self._refuse(
                HTTPStatus.REQUEST_TIMEOUT,
                f"the headers did not arrive within {HEADERS_TIMEOUT_S:g} s",
                "send the request at once",
            )
        else:
            self._close()
