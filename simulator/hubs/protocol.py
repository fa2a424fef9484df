"""The SignalR JSON protocol: records between separators, and what each says (venue.md section 7.4)."""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import msgspec

from shared.errors import TickworkError
from simulator import wire

SEPARATOR = "\x1e"
MOST_RECORD = 32 * 1024  # characters a client may send in one record, as .NET has it
_ENDED = "Connection closed with an error."


class SentMessageType(IntEnum):
    """What a record is; others exist and are ignored."""

    INVOCATION = 1
    COMPLETION = 3
    STREAM_INVOCATION = 4
    PING = 6
    CLOSE = 7


class BadFrameError(TickworkError):
    """A record that is not of the protocol; the connection ends with it."""


class HandshakeRefusedError(TickworkError):
    """A handshake we cannot go on from; the text is what the client hears."""


class Handshake(msgspec.Struct, frozen=True):
    """The first record of a client."""

    protocol: str
    version: int


class Invocation(msgspec.Struct, frozen=True, rename="camel"):
    """A call of a hub's method; without an id nobody waits for an answer."""

    type: int
    target: str
    arguments: list[Any]
    invocation_id: str | None = None


@dataclass(slots=True)
class FrameSplitter:
    """Cuts what comes in into records; one may be spread over messages, or share one with others."""

    _rest: str = field(default="", init=False)

    def feed(self, text: str) -> list[str]:
        """Return the records that are whole now; raise MalformedRecordError for one that gets too long."""
        *records, self._rest = (self._rest + text).split(SEPARATOR)
        if len(self._rest) > MOST_RECORD or any(len(record) > MOST_RECORD for record in records):
            raise BadFrameError(f"a record is longer than {MOST_RECORD} characters")
        return records


def check_handshake(record: str) -> None:
    """Return if the client speaks JSON, of version 1 or before; raise HandshakeRefusedError with what it shall hear.

    [SIM] A lower version is taken too: signalrcore 1.0, a client for Python that is in use, says 0.
    """
    try:
        handshake = msgspec.json.decode(record, type=Handshake)
    except msgspec.MsgspecError as error:
        raise HandshakeRefusedError("An unexpected error occurred during connection handshake.") from error
    if handshake.protocol != "json":
        raise HandshakeRefusedError(f"The protocol '{handshake.protocol}' is not supported.")
    if handshake.version > 1:
        raise HandshakeRefusedError(f"The server does not support version {handshake.version} of the 'json' protocol.")


def parsed(record: str) -> Invocation | SentMessageType | None:
    """Return what a record asks for: a call, the kind of one without content we need, or None to ignore it.

    Raise MalformedRecordError if it is no record of the protocol.
    """
    try:
        found = msgspec.json.decode(record)
        if not isinstance(found, dict) or type(found.get("type")) is not int:
            raise BadFrameError("a record needs a type")
        if found["type"] in {SentMessageType.INVOCATION, SentMessageType.STREAM_INVOCATION}:
            call = msgspec.convert(found, Invocation)
            if call.type == SentMessageType.STREAM_INVOCATION and call.invocation_id is None:
                raise BadFrameError("a stream invocation needs an id")
            return call
    except msgspec.MsgspecError as error:
        raise BadFrameError(str(error)) from error
    return SentMessageType(found["type"]) if found["type"] in {SentMessageType.PING, SentMessageType.CLOSE} else None


def record_of(content: object) -> str:
    """Encode one record, with its separator."""
    return wire.encoded(content).decode() + SEPARATOR


def invocation(target: str, *arguments: object) -> str:
    """Return an event: an invocation without an id."""
    return record_of({"type": SentMessageType.INVOCATION, "target": target, "arguments": arguments})


def completion(invocation_id: str, error: str | None) -> str:
    """Return the answer to a call; the hubs' methods return nothing."""
    answer: dict[str, object] = {"type": SentMessageType.COMPLETION, "invocationId": invocation_id}
    return record_of(answer if error is None else {**answer, "error": error})


WELCOME = record_of({})
PING = record_of({"type": SentMessageType.PING})
ENDED = record_of({"type": SentMessageType.CLOSE, "error": _ENDED})
LOGGED_OUT = record_of({"type": SentMessageType.CLOSE})
GOODBYE = record_of({"type": SentMessageType.CLOSE, "allowReconnect": True})


def refusal(error: HandshakeRefusedError) -> str:
    """Return the answer to a handshake we cannot go on from."""
    return record_of({"error": str(error)})
